package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	presence "writer-presence"
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
	// sayAgain is how far apart the log is told of failures.
	sayAgain = time.Minute
	// mostAsked is how many questions may be on their way.
	mostAsked = 64
	// mostAnswers is how many answers are remembered, twice over.
	mostAnswers = 20_000
	maxAnswer   = 16 << 10
)

// Host asks the host application who is asking and whether they may: at an address for each
// project, with the Cookie and the Authorization of the request. It answers 200 and
// {"user_id": 1, "username": "alice"} for somebody who may, 401 for nobody that it knows,
// 403 or 404 for a project that they may not see or that is not there. Anything else means
// that it does not know, and nobody is let in. Make one with [NewHost].
type Host struct {
	before, after string // the address, around the project
	client        *http.Client
	log           *slog.Logger
	flight        singleflight.Group
	// room has a place for each question on its way, and rechecks for those about live
	// connections, so that a crowd at the door keeps nobody from being shown out.
	room, rechecks chan struct{}

	mu      sync.Mutex
	said    time.Time // when the log was told of a failure
	answers recent.Map[[sha256.Size]byte, hostAnswer]
}

type hostAnswer struct {
	user presence.User // of the last answer that vouched, too, where err is a refusal
	err  error
	at   time.Time
}

// NewHost makes a gate of an address in which {project} stands for the project.
func NewHost(address string, log *slog.Logger) (*Host, error) {
	before, after, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	return &Host{
		before: before, after: after, client: newClient(maxAnswer), log: log, room: make(chan struct{}, mostAsked), rechecks: make(chan struct{}, mostAsked),
		answers: recent.Map[[sha256.Size]byte, hostAnswer]{Most: mostAnswers},
	}, nil
}

// Admit implements [Gate].
func (h *Host) Admit(ctx context.Context, r Request) (Admission, error) {
	q := question{r.Project, foreignCookies(r.Header), first(r.Header, "Authorization")}
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
}

// key stands for a question, and tells nothing of it.
func (q question) key() [sha256.Size]byte {
	text := strconv.Itoa(len(q.project)) + "." + strconv.Itoa(len(q.cookie)) + "." + string(q.project) + q.cookie + q.authorization
	return sha256.Sum256([]byte(text))
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
	a := hostAnswer{user, err, time.Now()}
	h.mu.Lock()
	defer h.mu.Unlock()
	if errors.Is(err, presence.ErrUnavailable) && (h.said.IsZero() || a.at.Sub(h.said) >= sayAgain) {
		h.said = a.at
		h.log.Error("the host application did not say who may, so somebody was not let in; this is said once a minute", "error", err)
	}
	h.answers.Set(key, a)
	return a
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
	r.Header.Set("Accept", "application/json")
	if q.cookie != "" {
		r.Header.Set("Cookie", q.cookie)
	}
	if q.authorization != "" {
		r.Header.Set("Authorization", q.authorization)
	}
	answer, err := h.client.Do(r)
	if err != nil {
		return unavailable("%w", err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return presence.User{}, ErrNobody
	case http.StatusForbidden, http.StatusNotFound:
		return presence.User{}, ErrProjectUnknown
	default:
		return unavailable("the host answered %s; it has to answer 200, 401, 403 or 404 itself, without a redirect", answer.Status)
	}
	user, err := readHostUser(answer.Body)
	if err != nil {
		return unavailable("%v", err) // not %w: an error in the host's answer is not the user's
	}
	return user, nil
}

// foreignCookies are those of a request that are not ours: with ours, every visitor would
// be another question.
func foreignCookies(h http.Header) string {
	var all []string
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			if name, _, _ := strings.Cut(part, "="); part != "" && name != visitorCookie && name != hostCookie {
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
