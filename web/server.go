// Package web is the HTTP side of presence: the polling API, the JavaScript client
// and the reference page. docs/api.md says what it answers.
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
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	presence "writer-presence"
	"writer-presence/identity"
	"writer-presence/limit"
)

// DefaultPrefix is the path of the note's API.
const DefaultPrefix = "/writer/api"

// Options of a handler. Tracker and Gate are needed; the zero value of each other
// field is its default.
type Options struct {
	Tracker *presence.Tracker
	Gate    identity.Gate
	// Prefix is the path below which the API stands, without a slash at its end;
	// empty is DefaultPrefix.
	Prefix string
	// Heartbeat is told to clients if it is not presence.DefaultHeartbeat.
	Heartbeat time.Duration
	// PerUser and PerAddress bound requests; nil does not.
	PerUser, PerAddress *limit.Limiter
	// Dev gives out tokens to anybody; nil does not.
	Dev *identity.Dev
	Log *slog.Logger
}

type server struct{ Options }

// New makes the handler of everything below the prefix, and of the reference page at
// the root.
func New(o Options) http.Handler {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = presence.DefaultHeartbeat
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{o}

	mux := http.NewServeMux()
	notFound := func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errNotFound) }
	handle := func(pattern, method string, h http.HandlerFunc) {
		allow := method
		if method == http.MethodGet {
			allow = "GET, HEAD"
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != method && !(r.Method == http.MethodHead && method == http.MethodGet) {
				w.Header().Set("Allow", allow)
				s.fail(w, r, errMethod)
				return
			}
			h(w, r)
		})
		if without, ok := strings.CutSuffix(pattern, "/{$}"); ok && without != "" {
			mux.HandleFunc(without, notFound) // or the mux would redirect there
		}
	}
	project := o.Prefix + "/project/{project}/presence/"
	handle(project+"update/{$}", http.MethodPost, s.update)
	handle(project+"list/{$}", http.MethodGet, s.list)
	handle(project+"leave/{$}", http.MethodPost, s.leave)
	if o.Dev != nil {
		handle(o.Prefix+"/dev/token/{$}", http.MethodPost, s.devToken)
	}
	for at, file := range s.files() {
		handle(at, http.MethodGet, file)
	}
	mux.HandleFunc("/", notFound)

	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errCrossOrigin) }))
	return origin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recover(w, r)
		if !isClean(r.URL.EscapedPath()) { // or the mux would redirect to what it is cleaned
			notFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// isClean tells whether a path has no empty segments and none of dots.
func isClean(p string) bool {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return true
	}
	return path.Clean(p) == strings.TrimSuffix(p, "/")
}

// recover answers for a handler that broke, and leaves the others in peace.
func (s *server) recover(w http.ResponseWriter, r *http.Request) {
	if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
		s.fail(w, r, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
	}
}

// asker is somebody who may ask about a project.
type asker struct {
	project presence.Project
	user    presence.User // without an id: somebody who only looks
	// cookie is to be set once the request has come to something; nil for none.
	cookie *http.Cookie
	// above says which limit they are above, and until when; nil for none.
	above error
}

// admit decides who is asking and whether they may, and counts the request. Of a refused
// asker it clears the cookie if that was the reason.
func (s *server) admit(w http.ResponseWriter, r *http.Request, looking bool) (asker, error) {
	project, err := presence.ParseProject(r.PathValue("project"))
	if err != nil {
		return asker{}, err
	}
	from := address(r)
	above := s.PerAddress.Take(from, errTooMany)
	admission, err := s.Gate.Admit(r.Context(), identity.Request{
		Project: project,
		Header:  r.Header,
		Token:   bearer(first(r.Header, "Authorization")),
		Address: from,
		Secure:  r.TLS != nil || strings.HasPrefix(first(r.Header, "Origin"), "https://"),
		Looking: looking,
	})
	if err != nil {
		if admission.Cookie != nil {
			http.SetCookie(w, admission.Cookie)
		}
		return asker{}, cmp.Or(above, err)
	}
	if above == nil && admission.User.ID != "" {
		above = s.PerUser.Take(string(admission.User.ID), errTooMany)
	}
	return asker{project, admission.User, admission.Cookie, above}, nil
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

// address is the asker's, as far as limits tell askers apart: of IPv6 the /64 that one
// customer gets.
func address(r *http.Request) string {
	if colon := strings.LastIndexByte(r.RemoteAddr, ':'); colon > 0 && r.RemoteAddr[colon-1] != ']' {
		return r.RemoteAddr[:colon] // IPv4
	}
	port, _ := netip.ParseAddrPort(r.RemoteAddr)
	a := port.Addr().Unmap()
	if network, err := a.Prefix(64); a.Is6() && err == nil {
		a = network.Addr()
	}
	return a.String()
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

func answer(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["X-Content-Type-Options"] = noSniff
	if len(body) > 2048 { // net/http counts less itself
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	w.Write(body) // a client that is gone is no error of ours
}

// The phases of a connection, each with its end: nobody holds one by being slow.
const (
	// readTime is for a request's header and its body together.
	readTime = 5 * time.Second
	// writeTime counts from when the header is here, so it has to leave time to say that
	// the body came too slowly.
	writeTime = readTime + 5*time.Second
	idleTime  = 2 * time.Minute
	drainTime = 10 * time.Second
	maxHeader = 16 << 10
)

// Serve answers on a listener until the context ends. Then it takes no more, finishes
// the requests that are in flight, within ten seconds, and returns.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:        h,
		ReadTimeout:    readTime,
		WriteTimeout:   writeTime,
		IdleTimeout:    idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	d := newDeadlines(l)
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	var watching sync.WaitGroup
	watching.Go(func() { d.run(watched) })
	defer watching.Wait()
	defer unwatch()

	served := make(chan error, 1)
	go func() { served <- srv.Serve(d) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
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
