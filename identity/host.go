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

	presence "writer-presence"
	"writer-presence/internal/loglimit"
	"writer-presence/internal/strictjson"
	"writer-presence/recent"
)

const (
	// hostTime is how long the host may take to answer.
	hostTime = 3 * time.Second
	// hostAge is how old an answer of the host may be, and recheckAge that about a live
	// connection: with the 25 s between two questions that makes the 30 s of rule 14.
	hostAge    = 30 * time.Second
	recheckAge = 5 * time.Second
	// failureAge is how long a host that cannot be asked is left alone.
	failureAge = time.Second
	// mostAsked is how many questions may be on their way.
	mostAsked = 64
	// mostAnswers is how many answers are remembered, twice over.
	mostAnswers = 20_000
	maxAnswer   = 16 << 10
)

// Host asks the host application who is asking and whether they may: at an address for each
// project, with the Cookie, the Authorization and the Accept-Language of the request, its
// X-Request-ID, and with X-Forwarded-Host, -Proto and -For. The application answers 200 and
// {"user_id": 1, "username": "alice"} for somebody who may, 401 for nobody that it knows, 403 or
// 404 for a project that they may not see or that is not there. These three count only with a
// JSON object as body or with the header Writer-Presence, since proxies, allow-lists and login
// pages give them too. Anything else is [presence.ErrUnavailable], and nobody is let in. Make one
// with [NewHost].
type Host struct {
	before, after string // the address, around the project
	client        *http.Client
	log           *slog.Logger
	flight        singleflight.Group
	// room has a place for each question on its way, and rechecks for those about live
	// connections, so that a crowd at the door keeps nobody from being shown out.
	room, rechecks chan struct{}

	vague sync.Once // the log was told of a refusal in JSON that may be somebody else's

	mu      sync.Mutex
	answers recent.Map[[sha256.Size]byte, hostAnswer]
}

type hostAnswer struct {
	user presence.User // of the last answer that vouched, too, where err is a refusal
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
		before: before, after: after, client: newClient(maxAnswer), log: loglimit.New(log), room: make(chan struct{}, mostAsked), rechecks: make(chan struct{}, mostAsked),
		answers: recent.Map[[sha256.Size]byte, hostAnswer]{Most: mostAnswers},
	}, nil
}

// Admit implements [Gate].
func (h *Host) Admit(ctx context.Context, r Request) (Admission, error) {
	q := question{r.Project, foreignCookies(r.Header), first(r.Header, "Authorization"), r.Forwarded}
	if r.Token != "" {
		q.authorization = "Bearer " + r.Token
	}
	key := q.key()
	age := hostAge
	if r.Recheck {
		age = recheckAge
	}
	a, ok := h.answer(key)
	if errors.Is(a.err, presence.ErrUnavailable) {
		age = failureAge
	}
	if !ok && r.Above {
		return Admission{}, fmt.Errorf("%w: somebody new, from where too many requests come", presence.ErrUnavailable)
	}
	if !ok || time.Since(a.at) > age {
		done := h.flight.DoChan(string(key[:]), func() (any, error) {
			if now, _ := h.answer(key); now.at.After(a.at) {
				return now, nil // which came between our look and our question
			}
			return h.ask(key, q, a.user, r.Recheck), nil
		})
		select {
		case result := <-done:
			a = result.Val.(hostAnswer) // and not from memory, which may have forgotten it
		case <-ctx.Done():
			return Admission{}, fmt.Errorf("%w: the host application does not answer: %w", presence.ErrUnavailable, ctx.Err())
		}
	}
	return Admission{User: a.user}, a.err
}

// question is what the host is asked.
type question struct {
	project               presence.Project
	cookie, authorization string
	forwarded             Forwarded
}

// key stands for a question, and tells nothing of it. It has all that can change the answer, and
// so not the id of the request.
func (q question) key() [sha256.Size]byte {
	var b []byte
	for _, part := range []string{string(q.project), q.cookie, q.authorization, q.forwarded.Host, q.forwarded.Proto, q.forwarded.Language} {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(append(b, '.'), part...)
	}
	b = q.forwarded.For.AppendTo(b)
	return sha256.Sum256(b)
}

// headers are those of the question.
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

// ask asks the host, and remembers what it says. Before is whom it vouched for the last time.
func (h *Host) ask(key [sha256.Size]byte, q question, before presence.User, recheck bool) hostAnswer {
	ctx, cancel := context.WithTimeout(context.Background(), hostTime)
	defer cancel()
	room := h.room
	if recheck {
		room = h.rechecks
	}
	user, err := h.put(ctx, q, room)
	if errors.Is(err, ErrProjectUnknown) || errors.Is(err, presence.ErrUnavailable) {
		user = before // for the refusal that may follow
	}
	if errors.Is(err, presence.ErrUnavailable) {
		h.logFailure(q.project, err)
	}
	a := hostAnswer{user, err, time.Now()}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers.Set(key, a)
	return a
}

// logFailure logs that the host gave no usable answer: at debug level each time, for whoever is
// writing the host's view, and as an error at most once a minute.
func (h *Host) logFailure(project presence.Project, err error) {
	attributes := []any{"error", err}
	if odd := (*oddAnswer)(nil); errors.As(err, &odd) {
		attributes = append(attributes, "status", odd.status, "address", h.shown(project), "begins", odd.begins)
	}
	h.log.Debug("asking the host application failed", attributes...)
	h.log.Error("asking the host application failed, so a request was answered with 503; this is logged once a minute, and each time at debug level", attributes...)
}

// put puts the question.
func (h *Host) put(ctx context.Context, q question, room chan struct{}) (presence.User, error) {
	unavailable := func(format string, args ...any) (presence.User, error) {
		return presence.User{}, fmt.Errorf("%w: "+format, append([]any{presence.ErrUnavailable}, args...)...)
	}
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	case <-ctx.Done():
		return unavailable("too many questions to the host are on their way")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.before+string(q.project)+h.after, nil)
	if err != nil {
		return unavailable("%w", err)
	}
	r.Header = q.headers()
	answer, err := h.client.Do(r)
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		err = failed.Err // without the address, whose query may have a secret
	}
	if err != nil {
		return unavailable("%w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return unavailable("the host's answer broke off: %w", err)
	}
	odd := func(format string, args ...any) (presence.User, error) {
		return presence.User{}, &oddAnswer{fmt.Errorf(format, args...), answer.StatusCode, q.begins(body)}
	}
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		if !h.isRefusal(answer, body, q) {
			return odd("the host answered %s without a JSON object and without the header Writer-Presence, so that may be a proxy, an allow-list or a login page; have the view answer with the header Writer-Presence: 1", answer.Status)
		}
		if answer.StatusCode == http.StatusUnauthorized {
			return presence.User{}, ErrNobody
		}
		return presence.User{}, ErrProjectUnknown
	default:
		return odd("the host answered %s; it has to answer 200, 401, 403 or 404 itself, without a redirect", answer.Status)
	}
	user, err := readHostUser(body)
	if err != nil {
		return odd("%v", err) // not %w: an error in the host's answer is not the user's
	}
	return user, nil
}

// viewHeader is the header by which a view of the host marks its refusals.
const viewHeader = "Writer-Presence"

// isRefusal reports whether an answer with a refusing status comes from the host's view: it has
// the header Writer-Presence, or a JSON object as body. Frameworks answer in JSON too where there
// is no such address, so an object without user_id is logged, once.
func (h *Host) isRefusal(answer *http.Response, body []byte, q question) bool {
	if answer.Header.Get(viewHeader) != "" {
		return true
	}
	object, err := strictjson.Object(body)
	if err != nil {
		return false
	}
	if _, ok := object["user_id"]; !ok {
		h.vague.Do(func() {
			h.log.Warn(`the host refused somebody in JSON that frameworks may give, too, where there is no such view; if it is the view, have it answer with the header Writer-Presence: 1 or with {"user_id": null}; this is said once`,
				"status", answer.StatusCode, "address", h.shown(q.project))
		})
	}
	return true
}

// oddAnswer is an answer that does not say who may. It wraps [presence.ErrUnavailable].
type oddAnswer struct {
	cause  error
	status int
	begins string // the first bytes of the body, for the log
}

func (o *oddAnswer) Error() string { return presence.ErrUnavailable.Error() + ": " + o.cause.Error() }

func (o *oddAnswer) Unwrap() []error { return []error{presence.ErrUnavailable, o.cause} }

// shown is the address of a question as the log may have it: without a query and a password.
func (h *Host) shown(project presence.Project) string {
	u, err := url.Parse(h.before + string(project) + h.after)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

const (
	// mostShown is how many bytes of an answer the log is shown.
	mostShown = 120
	// leastSecret is how long what is masked in them has to be: shorter values are in any text.
	leastSecret = 4
)

// begins gives the first bytes of an answer in printable ASCII, with the credentials of the
// question masked, since pages for debugging repeat them. Of JSON it gives nothing: that may have
// the name of somebody.
func (q question) begins(body []byte) string {
	if json.Valid(body) {
		return ""
	}
	text := string(body)
	for _, secret := range strings.FieldsFunc(q.cookie+" "+q.authorization, func(r rune) bool { return r == ' ' || r == ';' || r == ',' }) {
		if _, value, ok := strings.Cut(secret, "="); ok && len(value) >= leastSecret {
			text = strings.ReplaceAll(text, value, "***")
		}
		if len(secret) >= leastSecret && !strings.EqualFold(secret, "Bearer") && !strings.EqualFold(secret, "Basic") {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	quoted := strconv.QuoteToASCII(text[:min(len(text), mostShown)])
	return quoted[1 : len(quoted)-1]
}

// foreignCookies are those of a request that are not ours: with ours, every visitor would
// be another question.
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

func first(h http.Header, name string) string {
	if lines := h[name]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}
