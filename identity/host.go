package identity

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/cache"
	"github.com/writer-presence/writer-presence/internal/loglimit"
	"github.com/writer-presence/writer-presence/internal/strictjson"
)

const (
	// hostTimeout is the time limit for one answer of the host.
	hostTimeout = 3 * time.Second
	// hostAge is the maximum age of a cached answer. recheckAge is that for a live connection,
	// which is rechecked every 25 s, or a tick of the hub later behind a host that hangs: together they are less than the
	// 30 s within which access ends.
	hostAge    = 30 * time.Second
	recheckAge = 4 * time.Second
	// failureAge is how long a failure is cached before the host is asked again.
	failureAge = time.Second
	// maxRequests is the number of concurrent requests to the host.
	maxRequests = 64
	// maxAnswers is the size of one generation of the cache; it holds two.
	maxAnswers = 20_000
	// maxAnswer is the size of an answer in bytes from which it is rejected.
	maxAnswer = 16 << 10
)

// Host authenticates and authorises users by asking the host application over HTTP. It sends a GET
// to an address for each project, with the Cookie, Authorization and Accept-Language of the
// request, its X-Request-ID, and X-Forwarded-Host, -Proto and -For.
//
// The application answers 200 and {"user_id": 1, "username": "alice"} for a user who may see the
// project, with "avatar_url", the https address of a picture, and "agent": true for software that acts
// by itself, where it has them; 401 for a caller it does not know, and 403 or 404 for a project that is forbidden or does
// not exist. These three count only with a JSON object as body or with the header Writer-Presence,
// because proxies, allow-lists and login pages send them too. Any other answer is
// [presence.ErrUnavailable], and access is denied. Create a Host with [NewHost]; it is safe for
// concurrent use.
type Host struct {
	before, after string // the address, around the project
	projects      string // the address for several projects, up to the first of them; empty for none
	client        *http.Client
	log           *slog.Logger
	flight        singleflight.Group
	// requests holds a place for each request under way. Rechecks of live connections have places
	// of their own: a burst of new callers must not delay the rechecks that revoke access.
	requests, rechecks chan struct{}

	ambiguous sync.Once // logs an ambiguous rejection; see isRejection

	mu      sync.Mutex
	answers cache.Map[[sha256.Size]byte, hostAnswer]
}

type hostAnswer struct {
	user presence.User // the user; if err is set, the user of the last answer without an error
	err  error
	at   time.Time
}

// NewHost returns a Host that asks at an address in which {project} stands for the project. The
// log gets failures at most once a minute, and at debug level each of them; nil discards them.
func NewHost(address string, log *slog.Logger) (*Host, error) {
	before, after, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Host{
		before: before, after: after, client: newClient(maxAnswer), log: loglimit.New(log), requests: make(chan struct{}, maxRequests), rechecks: make(chan struct{}, maxRequests),
		answers: cache.Map[[sha256.Size]byte, hostAnswer]{Size: maxAnswers},
	}, nil
}

// Authenticate implements [Authenticator]. Concurrent calls for the same question share one request.
func (h *Host) Authenticate(ctx context.Context, r Request) (Principal, error) {
	if h.client == nil {
		return Principal{}, fmt.Errorf("%w: this Host has no address; create it with NewHost", presence.ErrUnavailable)
	}
	q := questionOf(r)
	key := q.key()
	age := hostAge
	if r.Recheck {
		age = recheckAge
	}
	a, ok := h.answer(key)
	if errors.Is(a.err, presence.ErrUnavailable) {
		age = failureAge
	}
	if !ok && r.LimitExceeded {
		return Principal{}, fmt.Errorf("%w: too many requests come from this address, so the host is not asked about new callers", presence.ErrUnavailable)
	}
	if !ok || time.Since(a.at) > age {
		done := h.flight.DoChan(string(key[:]), func() (any, error) {
			if now, _ := h.answer(key); now.at.After(a.at) {
				return now, nil // another call has stored it since the lookup above
			}
			return h.ask(key, q, a.user, r.Recheck), nil
		})
		select {
		case result := <-done:
			a = result.Val.(hostAnswer) // not from the cache, which may have evicted it
		case <-ctx.Done():
			return Principal{}, fmt.Errorf("%w: the host application does not answer: %w", presence.ErrUnavailable, ctx.Err())
		}
	}
	return Principal{User: a.user}, a.err
}

func questionOf(r Request) question {
	q := question{project: r.Project, cookie: foreignCookies(r.Header), authorization: r.Header.Get("Authorization"), forwarded: r.Forwarded}
	if r.Token != "" {
		q.authorization = "Bearer " + r.Token
	}
	return q
}

// question is what a request to the host depends on.
type question struct {
	project               presence.Project
	several               []presence.Project // for the address for several projects, in place of project
	cookie, authorization string
	forwarded             Forwarded
}

// key returns the cache key: a digest, so that the cache holds no credentials. It covers all that
// can change the answer, which excludes the request id.
func (q question) key() [sha256.Size]byte {
	var b []byte
	for _, part := range []string{string(q.project), q.cookie, q.authorization, q.forwarded.Host, q.forwarded.Proto, q.forwarded.Language} {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(append(b, '.'), part...)
	}
	b = q.forwarded.For.AppendTo(b)
	return sha256.Sum256(b)
}

// headers returns the headers of the request to the host.
func (q question) headers() http.Header {
	h := http.Header{}
	for name, value := range map[string]string{
		"Accept": "application/json", "Cookie": q.cookie, "Authorization": q.authorization, "Accept-Language": q.forwarded.Language,
		"X-Forwarded-Host": q.forwarded.Host, "X-Forwarded-Proto": q.forwarded.Proto, "X-Request-Id": q.forwarded.RequestID,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	if q.forwarded.For.IsValid() {
		h.Set("X-Forwarded-For", q.forwarded.For.String())
	}
	return h
}

func (h *Host) answer(key [sha256.Size]byte) (hostAnswer, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answers.Get(key)
}

// ask sends a question to the host and caches the answer. Before is the user of the last answer
// without an error.
func (h *Host) ask(key [sha256.Size]byte, q question, before presence.User, recheck bool) hostAnswer {
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	places := h.requests
	if recheck {
		places = h.rechecks
	}
	user, _, err := h.send(ctx, q, places)
	if errors.Is(err, ErrProjectUnknown) || errors.Is(err, presence.ErrUnavailable) {
		user = before // the caller needs the user to end the session
	}
	if errors.Is(err, presence.ErrUnavailable) {
		h.logFailure(q, err)
	}
	a := hostAnswer{user, err, time.Now()}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers.Set(key, a)
	return a
}

// logFailure logs that the host gave no usable answer: at debug level each time, to help
// with writing the host's view, and as an error at most once a minute.
func (h *Host) logFailure(q question, err error) {
	attributes := []any{"error", err}
	if id := q.forwarded.RequestID; id != "" {
		attributes = append(attributes, "request", id)
	}
	if unusable := (*unusableAnswer)(nil); errors.As(err, &unusable) {
		attributes = append(attributes, "status", unusable.status, "address", shown(h.address(q)), "begins", unusable.begins)
	}
	h.log.Debug("asking the host application failed", attributes...)
	h.log.Error("asking the host application failed, so a request was answered with 503; this is logged once a minute, and each time at debug level", attributes...)
}

// address returns the address that a question is sent to.
func (h *Host) address(q question) string {
	if len(q.several) == 0 {
		return h.before + string(q.project) + h.after
	}
	var b strings.Builder
	b.WriteString(h.projects)
	for i, project := range q.several {
		if i > 0 {
			b.WriteString("&project=")
		}
		b.WriteString(string(project)) // an id has no character that a query would have to escape
	}
	return b.String()
}

// send sends a question to the host and reads its answer: the user, and which of several projects the user may see. It
// waits for a free place first.
func (h *Host) send(ctx context.Context, q question, places chan struct{}) (presence.User, []string, error) {
	unavailable := func(format string, args ...any) (presence.User, []string, error) {
		return presence.User{}, nil, fmt.Errorf("%w: "+format, append([]any{presence.ErrUnavailable}, args...)...)
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-ctx.Done():
		return unavailable("too many requests to the host are under way")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.address(q), nil)
	if err != nil {
		return unavailable("%w", err)
	}
	r.Header = q.headers()
	answer, err := h.client.Do(r)
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		err = failed.Err // without the address: its query may hold a secret
	}
	if err != nil {
		return unavailable("%w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return unavailable("the host's answer was cut off: %w", err)
	}
	unusable := func(format string, args ...any) (presence.User, []string, error) {
		return presence.User{}, nil, &unusableAnswer{fmt.Errorf(format, args...), answer.StatusCode, q.begins(body)}
	}
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		if !h.isRejection(answer, body, q) {
			return unusable("the host answered %s without a JSON object and without the header Writer-Presence, so it may come from a proxy, an allow-list or a login page; have the view answer with the header Writer-Presence: 1", answer.Status)
		}
		if answer.StatusCode == http.StatusUnauthorized {
			return presence.User{}, nil, ErrNobody
		}
		return presence.User{}, nil, ErrProjectUnknown
	default:
		return unusable("the host answered %s; it has to answer 200, 401, 403 or 404 itself, without a redirect", answer.Status)
	}
	user, projects, err := readHostUser(body)
	if err != nil {
		return unusable("%v", err) // not %w: an error in the host's answer is not the user's
	}
	if len(q.several) > 0 && projects == nil {
		return unusable(`the host's answer has no projects; answer {"user_id": 1, "username": "alice", "projects": ["a"]}, with those of the projects in the query that the user may see`)
	}
	return user, projects, nil
}

// viewHeader marks a rejection as one of the host's view.
const viewHeader = "Writer-Presence"

// isRejection reports whether an answer with status 401, 403 or 404 comes from the host's view: it
// has the header Writer-Presence, or a JSON object as body. Frameworks also send JSON where no view
// exists, so the first object without user_id is logged.
func (h *Host) isRejection(answer *http.Response, body []byte, q question) bool {
	if answer.Header.Get(viewHeader) != "" {
		return true
	}
	object, err := strictjson.Object(body)
	if err != nil {
		return false
	}
	if _, ok := object["user_id"]; !ok {
		h.ambiguous.Do(func() {
			h.log.Warn(`the host rejected a request with JSON that a framework may also send where no view exists; if the view sent it, add the header Writer-Presence: 1 or answer {"user_id": null}; this is logged once`,
				"status", answer.StatusCode, "address", shown(h.address(q)))
		})
	}
	return true
}

// unusableAnswer is the error for an answer that the protocol does not allow. It wraps
// [presence.ErrUnavailable].
type unusableAnswer struct {
	cause  error
	status int
	begins string // see question.begins
}

func (o *unusableAnswer) Error() string {
	return presence.ErrUnavailable.Error() + ": " + o.cause.Error()
}

func (o *unusableAnswer) Unwrap() []error { return []error{presence.ErrUnavailable, o.cause} }

// shown returns an address without user, password and query, for the log.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

const (
	// maxShown is the number of bytes of an answer that are logged.
	maxShown = 120
	// minSecret is the length from which credentials are masked: shorter values occur in any text.
	minSecret = 4
)

// begins returns the first bytes of an answer in printable ASCII for the log. It masks the
// credentials of the question, which debug pages repeat. It returns nothing of JSON, which may
// contain a user's name.
func (q question) begins(body []byte) string {
	if json.Valid(body) {
		return ""
	}
	text := string(body)
	for _, secret := range strings.FieldsFunc(q.cookie+" "+q.authorization, func(r rune) bool { return r == ' ' || r == ';' || r == ',' }) {
		if _, value, ok := strings.Cut(secret, "="); ok && len(value) >= minSecret {
			text = strings.ReplaceAll(text, value, "***")
		}
		if len(secret) >= minSecret && !strings.EqualFold(secret, "Bearer") && !strings.EqualFold(secret, "Basic") {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	quoted := strconv.QuoteToASCII(text[:min(len(text), maxShown)])
	return quoted[1 : len(quoted)-1]
}

// foreignCookies returns the cookies of a request without this server's own: those would make a
// separate cache entry for every visitor.
func foreignCookies(h http.Header) string {
	var all []string
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			if name, _, _ := strings.Cut(part, "="); part != "" && !strings.HasPrefix(strings.TrimPrefix(name, "__Host-"), ownCookies) {
				all = append(all, part)
			}
		}
	}
	return strings.Join(all, "; ")
}
