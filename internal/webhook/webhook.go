// Package webhook sends events to an address of the host application, signed by the Standard Webhooks specification.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/loglimit"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/internal/wire"
)

const (
	// MaxBatch is the number of events in a request.
	MaxBatch = 100
	// giveUp is for how long a batch is sent again after its first attempt.
	giveUp = 5 * time.Minute
	// attemptTimeout is how long the receiver may take to answer.
	attemptTimeout = 15 * time.Second
	// minWait is the wait before the second attempt. It doubles up to maxWait; half of it is jitter.
	minWait, maxWait = time.Second, time.Minute
	// maxRequests bounds the requests at a time. Each is of another project.
	maxRequests = 16
)

// Sender sends events. Create one with [New]. It is safe for concurrent use.
type Sender struct {
	address string
	secrets atomic.Pointer[Secrets]
	client  *http.Client
	log     *slog.Logger
	places  chan struct{} // holds one element for each request
	metrics *metrics.Webhook

	mu     sync.Mutex
	queued map[*time.Time]struct{} // since when batches wait
}

// New returns a sender to an address. The log gets failures, at most one a minute of each kind.
func New(address string, secrets Secrets, log *slog.Logger) (*Sender, error) {
	if err := CheckAddress(address); err != nil {
		return nil, err
	}
	if len(secrets.signers) == 0 {
		return nil, errNoSecrets
	}
	s := &Sender{
		address: address, log: loglimit.New(log), places: make(chan struct{}, maxRequests), queued: map[*time.Time]struct{}{},
		client: &http.Client{
			Timeout:       attemptTimeout,
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: maxRequests, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.secrets.Store(&secrets)
	s.metrics = metrics.NewWebhook(s.oldest)
	return s, nil
}

// CheckAddress returns an error unless webhooks can be sent to the address.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Fragment != "" {
		return errors.New("give an address such as https://app.example.org/webhooks/presence")
	}
	if u.User != nil {
		return errors.New("the address has a user name or password: leave them out, since the signature shows who sends")
	}
	return nil
}

// SetSecrets replaces the secrets for the next attempts.
func (s *Sender) SetSecrets(secrets Secrets) { s.secrets.Store(&secrets) }

// Metrics returns the metrics of the sender.
func (s *Sender) Metrics() *metrics.Webhook { return s.metrics }

// Send sends events in order, MaxBatch at a time. It tries again until the receiver accepts them, for giveUp; then they
// are lost, which it counts and logs. Its error is that of ctx.
func (s *Sender) Send(ctx context.Context, events []presence.Event) error {
	for len(events) > 0 {
		n := min(len(events), MaxBatch)
		if err := s.sendBatch(ctx, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

func (s *Sender) sendBatch(ctx context.Context, events []presence.Event) error {
	since := time.Now()
	s.queue(&since, true)
	defer s.queue(&since, false)
	// The same batch has the same id when another process sends it again.
	id, body := "batch_"+events[0].ID, wire.AppendEvents(nil, events, events[0].At)
	var first time.Time
	for wait := minWait; ; wait = min(2*wait, maxWait) {
		select {
		case s.places <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if first.IsZero() {
			first = time.Now()
		}
		err := s.attempt(ctx, id, body)
		<-s.places
		var failed *failure
		pause := wait/2 + rand.N(wait/2)
		switch {
		case err == nil:
			s.metrics.Sent.Add(float64(len(events)))
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &failed) && failed.status == http.StatusGone:
			s.metrics.Lost.Add(float64(len(events)))
			s.log.Error("the receiver of webhooks answers 410, which says that it wants none: these events are lost; remove --webhook-url, or correct the receiver", "events", len(events), "project", events[0].Project)
			return nil
		case errors.As(err, &failed) && failed.retryAfter > pause:
			pause = failed.retryAfter
		}
		if time.Since(first)+pause > giveUp {
			s.metrics.Lost.Add(float64(len(events)))
			s.log.Error("the receiver of webhooks has not accepted events for five minutes: they are lost", "events", len(events), "project", events[0].Project, "error", err)
			return nil
		}
		s.log.Warn("the receiver of webhooks does not accept events: they are sent again", "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		s.metrics.Retries.Inc()
	}
}

// failure is an answer that is not 2xx.
type failure struct {
	status     int
	text       string
	retryAfter time.Duration
}

func (f *failure) Error() string { return f.text }

// attempt makes one request. Its errors have no query of the address, which may be a secret.
func (s *Sender) attempt(ctx context.Context, id string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	now := time.Now()
	var signatures []string
	for _, signer := range s.secrets.Load().signers {
		signature, err := signer.Sign(id, now, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "writer-presence")
	r.Header.Set(standardwebhooks.HeaderWebhookID, id)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	response, err := s.client.Do(r)
	if err != nil {
		wrapped := (*url.Error)(nil)
		if !errors.As(err, &wrapped) {
			return err
		}
		if wrapped.Timeout() && ctx.Err() == nil {
			return fmt.Errorf("it gave no answer within %v", attemptTimeout)
		}
		return wrapped.Err // without the address
	}
	defer response.Body.Close()
	io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
	switch {
	case response.StatusCode/100 == 2:
		return nil
	case response.StatusCode/100 == 3:
		return &failure{status: response.StatusCode, text: fmt.Sprintf("it answers %d, a redirect, which is not followed: give the final address", response.StatusCode)}
	}
	f := &failure{status: response.StatusCode, text: fmt.Sprintf("it answers %d", response.StatusCode)}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		f.retryAfter = min(time.Duration(max(seconds, 0))*time.Second, maxWait)
	}
	return f
}

// queue records that a batch waits, or no longer.
func (s *Sender) queue(since *time.Time, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waits {
		s.queued[since] = struct{}{}
	} else {
		delete(s.queued, since)
	}
}

// oldest returns how long the oldest batch has waited.
func (s *Sender) oldest() (age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for since := range s.queued {
		age = max(age, time.Since(*since))
	}
	return age
}
