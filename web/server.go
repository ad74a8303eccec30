// Package web is the HTTP side of presence: the polling API, live connections, the
// JavaScript client and the reference page. docs/reference/api.md and docs/reference/protocol.md say what
// it answers.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/loglimit"
	"github.com/writer-presence/writer-presence/limit"
	"github.com/writer-presence/writer-presence/tally"
)

// DefaultPrefix is the path of the note's API.
const DefaultPrefix = "/writer/api"

// DefaultUserRate and DefaultAddressRate are the default limits on requests a second.
const (
	DefaultUserRate    = 20
	DefaultAddressRate = 500
)

// RequestLimit makes a limit on requests: perSecond, with a burst of five seconds' worth. Zero means no limit.
func RequestLimit(perSecond float64) *limit.Limiter { return limit.New(perSecond, 5*perSecond) }

// Options of a handler. Tracker and Gate are needed; the zero value of each other
// field is its default.
type Options struct {
	Tracker *presence.Tracker
	Gate    identity.Gate
	// Prefix is the path below which the API stands, without a slash at its end;
	// empty is DefaultPrefix.
	Prefix string
	// Lease is that of the store; a live connection that says nothing for longer is closed.
	// Zero is presence.DefaultLease.
	Lease time.Duration
	// Origins are those of the pages that may change something or open live connections,
	// such as https://write.example.org or https://*.example.org; nil is the origin of the
	// request's own Host. New panics for an entry that [ParseOriginPattern] refuses.
	Origins []string
	// TrustedProxies are the addresses whose X-Forwarded-For, -Proto and -Host, or Forwarded,
	// count.
	TrustedProxies []netip.Prefix
	// TenantFromHost makes the same project id under two hosts two projects. The host is that of
	// the request, or what a trusted proxy says that it was.
	TenantFromHost bool
	// TokenHeader is a header that has the token, with or without Bearer before it, and is read
	// before Authorization, for servers behind basic authentication; empty for none. New panics
	// for a name that [ParseTokenHeader] refuses.
	TokenHeader string
	// Heartbeat is told to clients if it is not presence.DefaultHeartbeat.
	Heartbeat time.Duration
	// PerUser and PerAddress bound the requests of one user and of one address. Nil is the
	// limit that the server has by default, RequestLimit(DefaultUserRate) and
	// RequestLimit(DefaultAddressRate); limit.None is no limit. Behind a proxy that is not
	// among TrustedProxies all requests have one address.
	PerUser, PerAddress *limit.Limiter
	// Connections is how many connections there may be in all, as given to Serve. Visitors get
	// four fifths of it for live connections; the rest is kept free for people with a token or a
	// session of the host. Zero is DefaultConnections; less is no limit.
	Connections int
	// UserConnections bounds the live connections of one user or visitor in all projects; zero
	// is DefaultUserConnections. AddressConnections bounds the connections from one address, of
	// which visitors get four fifths for live connections; zero is a quarter of Connections, at
	// least 32. Less than zero is no limit. Only Serve counts connections that are not live.
	UserConnections, AddressConnections int
	// ProjectsPerUser, ProjectsPerVisitor and ProjectsPerAddress bound the projects that one
	// user, one visitor and one address enter. Nil is the limit that the server has by default,
	// ProjectLimit(DefaultUserProjects) and so on; limit.AnyNumber is no limit. Visitors count
	// apart from users also for the address.
	ProjectsPerUser, ProjectsPerVisitor, ProjectsPerAddress *limit.Distinct
	// Dev gives out tokens to anybody; nil does not.
	Dev *identity.Dev
	// Log gets warnings and errors of one kind at most once a minute; nil is none.
	Log *slog.Logger
}

// Handler answers requests, and holds the live connections; its Run must be running.
type Handler struct {
	Options
	Counts  *Counts
	origins []OriginPattern // of Origins
	// projects is where the paths of projects begin, api what stands below each, and
	// pages all other paths.
	projects   string
	api        map[string]endpoint
	pages      map[string]endpoint
	live       *live
	connLimits *connLimits
	compress   *compressor
	warned     sync.Once // of pages of other origins
	// unreadable is when the log was last told of a proxy's entry that cannot be read, in
	// seconds since 1970.
	unreadable atomic.Int64
}

// handler answers, about the project whose id the path has if it has one, and gives the
// status.
type handler func(w http.ResponseWriter, r *http.Request, project string) (status int)

// endpoint is a handler, the method that it is for, and what counts its requests.
type endpoint struct {
	method string
	handle handler
	count  *Requests
}

// New makes the handler of everything below the prefix, and of the reference page at
// the root.
func New(o Options) *Handler {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = presence.DefaultHeartbeat
	}
	if o.Lease == 0 {
		o.Lease = presence.DefaultLease
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.PerUser == nil {
		o.PerUser = RequestLimit(DefaultUserRate)
	}
	if o.PerAddress == nil {
		o.PerAddress = RequestLimit(DefaultAddressRate)
	}
	if o.ProjectsPerUser == nil {
		o.ProjectsPerUser = ProjectLimit(DefaultUserProjects)
	}
	if o.ProjectsPerVisitor == nil {
		o.ProjectsPerVisitor = ProjectLimit(DefaultVisitorProjects)
	}
	if o.ProjectsPerAddress == nil {
		o.ProjectsPerAddress = ProjectLimit(DefaultAddressProjects)
	}
	o.Log = loglimit.New(o.Log)
	if o.TokenHeader != "" {
		name, err := ParseTokenHeader(o.TokenHeader)
		if err != nil {
			panic(fmt.Sprintf("web: TokenHeader %q: %v", o.TokenHeader, err))
		}
		o.TokenHeader = name
	}
	s := &Handler{Options: o, Counts: newCounts(), projects: o.Prefix + "/project/"}
	for _, origin := range o.Origins {
		pattern, err := ParseOriginPattern(origin)
		if err != nil {
			panic(fmt.Sprintf("web: the origin %q: %v", origin, err))
		}
		s.origins = append(s.origins, pattern)
	}
	s.connLimits = newConnLimits(&s.Options)
	s.live = newLive(s)
	s.compress = newCompressor()
	s.api = map[string]endpoint{
		"presence/update/": {http.MethodPost, s.update, s.Counts.Requests["update"]},
		"presence/list/":   {http.MethodGet, s.list, s.Counts.Requests["list"]},
		"presence/leave/":  {http.MethodPost, s.leave, s.Counts.Requests["leave"]},
		"presence/live/":   {http.MethodGet, s.live.upgrade, s.Counts.Requests["live"]},
	}
	s.pages = s.files()
	if o.Dev != nil {
		s.pages[o.Prefix+"/dev/token/"] = endpoint{http.MethodPost, s.devToken, s.Counts.Requests["token"]}
	}
	return s
}

// ServeHTTP answers a request, and counts it.
func (s *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := tally.Now()
	count, status := s.serve(w, r)
	count.add(status, tally.Now()-began)
}

// serve finds the handler of a path. Every path is an exact one, so that there is nothing
// to match and nothing to redirect.
func (s *Handler) serve(w http.ResponseWriter, r *http.Request) (count *Requests, status int) {
	count = s.Counts.Requests["other"]
	defer s.recover(w, r, &status)
	path := cmp.Or(r.URL.RawPath, r.URL.Path) // as it was sent: %2F is no slash
	if len(s.origins) > 0 && strings.HasPrefix(path, s.Prefix+"/") {
		s.allowOrigin(w.Header(), r)
	}
	if !s.mayChange(r) {
		return count, s.failOrigin(w, r)
	}
	e, ok := s.pages[path]
	project := ""
	if rest, inProject := strings.CutPrefix(path, s.projects); inProject {
		if s.Dev != nil && !IsLocal(r.Host) { // a name that somebody pointed here
			return count, s.failOrigin(w, r)
		}
		project, rest, _ = strings.Cut(rest, "/")
		e, ok = s.api[rest]
		ok = ok && project != "" && project != "." && project != ".."
	}
	if !ok {
		return count, s.fail(w, r, errNotFound)
	}
	if s.isPreflight(r) {
		return e.count, s.preflight(w, r, e.method)
	}
	if !allows(e.method, r) {
		return e.count, s.refuseMethod(w, r, e.method)
	}
	count = e.count // also where the handler breaks
	return count, e.handle(w, r, project)
}

// failOrigin answers a page that may not ask here. With --dev the reason is not the proxy but that the page is not one of
// this machine: it came through a tunnel, a forwarded port or another name.
func (s *Handler) failOrigin(w http.ResponseWriter, r *http.Request) (status int) {
	if s.Dev != nil && !(IsLocal(r.Host) && isLocalOrigin(first(r.Header, "Origin"))) {
		return s.fail(w, r, errDevOrigin)
	}
	return s.fail(w, r, errCrossOrigin)
}

// allows tells whether a request has the method that its path is for.
func allows(method string, r *http.Request) bool {
	return r.Method == method || r.Method == http.MethodHead && method == http.MethodGet
}

func (s *Handler) refuseMethod(w http.ResponseWriter, r *http.Request, method string) (status int) {
	if method == http.MethodGet {
		method = "GET, HEAD"
	}
	w.Header().Set("Allow", method)
	return s.fail(w, r, errMethod)
}

// recover answers for a handler that broke, and leaves the others in peace.
func (s *Handler) recover(w http.ResponseWriter, r *http.Request, status *int) {
	if cause := recover(); cause != nil {
		*status = s.fail(w, r, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
	}
}

// asker is somebody who may ask about a project.
type asker struct {
	project presence.Project // as the store knows it: with the tenant, if there are tenants
	user    presence.User    // without an id: somebody who only looks
	// cookie is to be set once the request has come to something; nil for none.
	cookie *http.Cookie
	// above says which limit they are above, and until when; nil for none.
	above error
	// request is what told who they are.
	request identity.Request
}

// sender is the asker as the sender of an update or a leave.
func (a asker) sender() sessionSender {
	return sessionSender{a.project, a.user, a.request.Address, a.above}
}

// admit decides who is asking and whether they may, and counts the request. Of a refused
// asker it clears the cookie if that was the reason.
func (s *Handler) admit(w http.ResponseWriter, r *http.Request, id string, looking bool) (asker, error) {
	if strings.Contains(id, "%") {
		id, _ = url.PathUnescape(id) // the parser of the request has seen to it that it can be
	}
	project, err := presence.ParseProject(id)
	if err != nil {
		return asker{}, err
	}
	from := s.senderOf(r)
	tenant := ""
	if s.TenantFromHost {
		if tenant = from.Host; tenant == "" {
			return asker{}, identity.ErrProjectUnknown
		}
	}
	above := s.PerAddress.Take(from.key, errTooMany)
	header, crossOrigin := s.credentialsOf(r)
	request := identity.Request{
		Project:   project,
		Tenant:    tenant,
		Header:    header,
		Token:     s.tokenOf(r.Header),
		Address:   from.key,
		Secure:    from.https,
		Looking:   looking,
		Above:     above != nil,
		Forwarded: from.Forwarded,
		// Nobody becomes a visitor by a page of another origin: it cannot keep the cookie.
		CrossOrigin: crossOrigin,
	}
	admission, err := s.authenticate(r.Context(), request)
	if err != nil {
		if admission.Cookie != nil {
			http.SetCookie(w, admission.Cookie)
		}
		return asker{project: request.Key(), user: admission.User, request: request}, cmp.Or(above, err)
	}
	if above == nil && admission.User.ID != "" {
		above = s.PerUser.Take(userKey(request.Key(), admission.User.ID), errTooMany)
	}
	return asker{request.Key(), admission.User, admission.Cookie, above, request}, nil
}

// authenticate asks the Gate, and rejects a user that cannot be: with an empty id, all who
// have it would be one user without limits. Only a request that looks may have no user.
func (s *Handler) authenticate(ctx context.Context, r identity.Request) (identity.Admission, error) {
	a, err := s.Gate.Admit(ctx, r)
	if err != nil || r.Looking && a.User == (presence.User{}) {
		return a, err
	}
	if err := a.User.Check(); err != nil {
		return identity.Admission{}, fmt.Errorf("%w: the Gate admitted a user that cannot be: %w", presence.ErrUnavailable, err)
	}
	return a, nil
}

// bearer gives the token of the header, empty if it has none: what another scheme
// says, to a proxy before us perhaps, is not for us.
func bearer(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110, 11.1
		return ""
	}
	return strings.TrimSpace(token)
}

// first gives the first line of a header, by its canonical name.
func first(h http.Header, name string) string {
	if lines := h[name]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}

var (
	jsonType = []string{"application/json"}
	noSniff  = []string{"nosniff"}
	noStore  = []string{"no-store"}
)

// answer answers with a body in parts.
func answer(w http.ResponseWriter, status int, body ...[]byte) int {
	size := 0
	for _, part := range body {
		size += len(part)
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["X-Content-Type-Options"] = noSniff
	if size > 2048 { // net/http counts less itself
		h["Content-Length"] = []string{strconv.Itoa(size)}
	}
	w.WriteHeader(status)
	for _, part := range body {
		w.Write(part) // a client that is gone is no error of ours
	}
	return status
}

const (
	// drainTime is how long the end waits for requests that are in flight.
	drainTime = 10 * time.Second
	maxHeader = 16 << 10
)

// Serve answers on a listener until the context ends, with so many connections open at the
// most; more wait to be taken. Zero is no limit. If h is a [Handler], Serve also bounds the
// connections of each address, and makes room for new connections by closing the oldest ones
// that are not live connections with a hello. Then it takes no more, finishes the requests that
// are in flight, within ten seconds, and returns. An answer that a client still reads after nine is
// cut.
func Serve(ctx context.Context, l net.Listener, h http.Handler, connections int, log *slog.Logger) error {
	handler, _ := h.(*Handler)
	p := newPhases(l, connections, handler)
	defer p.rejecting.Wait()
	srv := &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, heldKey{}, &c.(*phasedConn).held)
		},
		Handler:        h,
		ConnState:      p.changed,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	var watching sync.WaitGroup
	watching.Go(func() { p.run(watched) })
	defer watching.Wait()
	defer unwatch()

	served := make(chan error, 1)
	go func() { served <- srv.Serve(p) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	p.cutAfter(drainTime - time.Second)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := srv.Shutdown(drain)
	if err != nil {
		srv.Close()
	}
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
}
