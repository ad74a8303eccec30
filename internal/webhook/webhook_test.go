package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

const (
	secret      = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// receiver is an HTTP server in memory, so that a fake clock can be used.
type receiver struct {
	*testing.T
	conns chan net.Conn
	once  sync.Once
	// faulty answers a request, and returns false to have it accepted. Its argument is the number of requests before.
	faulty func(n int, w http.ResponseWriter) bool
	key    string

	mu       sync.Mutex
	requests []string // the id of each
	accepted []string // the ids of events
}

func (r *receiver) Accept() (net.Conn, error) {
	if c, ok := <-r.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (r *receiver) Close() error   { r.once.Do(func() { close(r.conns) }); return nil }
func (r *receiver) Addr() net.Addr { return &net.TCPAddr{} }

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	verifier, err := standardwebhooks.NewWebhook(r.key)
	if err == nil {
		err = verifier.Verify(body, request.Header)
	}
	if err != nil || request.URL.Path != "/hook" {
		r.Errorf("a request to %s cannot be verified: %v", request.URL, err)
	}
	r.mu.Lock()
	n := len(r.requests)
	r.requests = append(r.requests, request.Header.Get("webhook-id"))
	r.mu.Unlock()
	if r.faulty != nil && r.faulty(n, w) {
		return
	}
	var batch struct {
		Type      string
		Timestamp time.Time
		Data      []struct{ ID, Type string }
	}
	if err := json.Unmarshal(body, &batch); err != nil || batch.Type != "presence.events" || len(batch.Data) > MaxBatch {
		r.Errorf("a request has %d events of type %q, %v:\n%s", len(batch.Data), batch.Type, err, body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range batch.Data {
		r.accepted = append(r.accepted, e.ID)
	}
}

// in runs a test with a fake clock, of a sender and a receiver.
func in(t *testing.T, faulty func(int, http.ResponseWriter) bool, test func(*testing.T, *Sender, *receiver, *servertest.Log)) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{T: t, conns: make(chan net.Conn), faulty: faulty, key: secret}
		server := &http.Server{Handler: r, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
		go server.Serve(r)
		var log servertest.Log
		s, err := New("http://host.example/hook", read(t, secret), slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		s.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			client, end := net.Pipe()
			select {
			case r.conns <- end:
				return client, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		test(t, s, r, &log)
		server.Close()
		s.client.CloseIdleConnections()
		time.Sleep(2 * time.Minute) // until loglimit forgets what it logged
	})
}

func read(t *testing.T, lines ...string) Secrets {
	t.Helper()
	s, err := ReadSecrets(file(t, lines...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func file(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func events(n int) (all []presence.Event) {
	for i := range n {
		user := presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Alice"}
		all = append(all, presence.Event{ID: fmt.Sprint("e", i), Type: presence.UserJoined, Project: "p", At: time.Now(), Users: []presence.User{user}})
	}
	return all
}

func ids(all []presence.Event) (ids []string) {
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestEventsArriveOnceTheReceiverAcceptsThem(t *testing.T) {
	status := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(status) }
	}
	for name, fault := range map[string]func(http.ResponseWriter){
		"slow":        func(http.ResponseWriter) { time.Sleep(attemptTimeout + time.Second) },
		"500":         status(500),
		"404":         status(404),
		"unreachable": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"redirects": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://other.example/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"closes early": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(500)
			io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		},
		"endless": func(w http.ResponseWriter) {
			w.WriteHeader(500)
			for range 20 {
				io.WriteString(w, strings.Repeat("x", 32<<10))
				time.Sleep(time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			const faults = 6
			in(t, func(n int, w http.ResponseWriter) bool {
				if n < faults {
					fault(w)
				}
				return n < faults
			}, func(t *testing.T, s *Sender, r *receiver, log *servertest.Log) {
				all := events(3)
				if err := s.Send(t.Context(), all); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(r.accepted, ids(all)) || len(r.requests) != faults+1 || len(slices.Compact(slices.Clone(r.requests))) != 1 {
					t.Errorf("accepted are %q by the requests %q; want %q, and one id for %d requests", r.accepted, r.requests, ids(all), faults+1)
				}
				if sent, lost, retries := testutil.ToFloat64(s.metrics.Sent), testutil.ToFloat64(s.metrics.Lost), testutil.ToFloat64(s.metrics.Retries); sent != 3 || lost != 0 || retries != faults {
					t.Errorf("the metrics are sent %v, lost %v, retries %v; want 3, 0, %d", sent, lost, retries, faults)
				}
				if n := strings.Count(log.String(), "\n"); n < 1 || n > 4 || strings.Contains(log.String(), "/hook") {
					t.Errorf("the log has %d lines; want at most one a minute, without the address:\n%s", n, log.String())
				}
				if name == "slow" && !strings.Contains(log.String(), "it gave no answer within 15s") {
					t.Errorf("the log does not say that no answer came in time:\n%s", log.String())
				}
			})
		})
	}
}

func TestEventsAreLostAfterFiveMinutes(t *testing.T) {
	in(t, func(_ int, w http.ResponseWriter) bool { w.WriteHeader(503); return true }, func(t *testing.T, s *Sender, r *receiver, log *servertest.Log) {
		began := time.Now()
		go func() {
			time.Sleep(4 * time.Minute)
			if age := s.oldest(); age != 4*time.Minute {
				t.Errorf("after 4 minutes the oldest events wait since %v", age)
			}
		}()
		if err := s.Send(t.Context(), events(3)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > giveUp || took < giveUp-maxWait || len(r.requests) < 8 || len(r.requests) > 20 {
			t.Errorf("the sender gave up after %v and %d requests", took, len(r.requests))
		}
		if lost := testutil.ToFloat64(s.metrics.Lost); lost != 3 || s.oldest() != 0 || !strings.Contains(log.String(), "they are lost") {
			t.Errorf("lost are %v events, the oldest waits since %v, and the log is\n%s", lost, s.oldest(), log.String())
		}
	})
}

func TestReceiverThatWantsNoWebhooksIsNotAskedAgain(t *testing.T) {
	in(t, func(_ int, w http.ResponseWriter) bool { w.WriteHeader(410); return true }, func(t *testing.T, s *Sender, r *receiver, log *servertest.Log) {
		if err := s.Send(t.Context(), events(3)); err != nil {
			t.Fatal(err)
		}
		if lost := testutil.ToFloat64(s.metrics.Lost); lost != 3 || len(r.requests) != 1 || !strings.Contains(log.String(), "410") {
			t.Errorf("lost are %v events after %d requests, and the log is\n%s", lost, len(r.requests), log.String())
		}
	})
}

func TestReceiverDecidesWhenToTryAgain(t *testing.T) {
	in(t, func(n int, w http.ResponseWriter) bool {
		if n == 0 {
			w.Header().Set("Retry-After", "40")
			w.WriteHeader(503)
		}
		return n == 0
	}, func(t *testing.T, s *Sender, _ *receiver, _ *servertest.Log) {
		began := time.Now()
		if err := s.Send(t.Context(), events(1)); err != nil || time.Since(began) != 40*time.Second {
			t.Errorf("the second attempt was after %v, %v; want 40 s", time.Since(began), err)
		}
	})
}

func TestManyEventsAreSentInSeveralBatches(t *testing.T) {
	in(t, nil, func(t *testing.T, s *Sender, r *receiver, _ *servertest.Log) {
		all := events(2*MaxBatch + 1)
		if err := s.Send(t.Context(), all); err != nil || !slices.Equal(r.accepted, ids(all)) || len(r.requests) != 3 {
			t.Errorf("%d events arrived in %d requests, %v", len(r.accepted), len(r.requests), err)
		}
	})
}

func TestSendEndsWithItsContext(t *testing.T) {
	in(t, func(_ int, w http.ResponseWriter) bool { w.WriteHeader(500); return true }, func(t *testing.T, s *Sender, _ *receiver, _ *servertest.Log) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Send(ctx, events(1)); err == nil || testutil.ToFloat64(s.metrics.Lost) != 0 {
			t.Errorf("the error is %v, and %v events count as lost; want an error, and 0", err, testutil.ToFloat64(s.metrics.Lost))
		}
	})
}

func TestBothSecretsSign(t *testing.T) {
	for _, key := range []string{secret, otherSecret} {
		in(t, nil, func(t *testing.T, s *Sender, r *receiver, _ *servertest.Log) {
			r.key = key
			s.SetSecrets(read(t, otherSecret, secret, ""))
			if err := s.Send(t.Context(), events(1)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBadSecretsAndAddressesAreRejected(t *testing.T) {
	for want, lines := range map[string][]string{
		"is empty":       {""},
		"not base64":     {"whsec_ä"},
		"has 3 bytes":    {"whsec_AAAA"},
		"has 66 bytes":   {strings.Repeat("AAAA", 22)},
		"has 3 secrets":  {secret, otherSecret, secret},
		"openssl rand -": {"my password"},
	} {
		if _, err := ReadSecrets(file(t, lines...)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "password") {
			t.Errorf("the secrets %q: %v; want an error with %q, without a secret", lines, err, want)
		}
	}
	if _, err := ReadSecrets(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that does not exist is accepted")
	}
	for _, address := range []string{"", "host.example/hook", "ftp://host.example/", "https://", "https://user:pass@host.example/", "https://host.example/#x", ":"} {
		if err := CheckAddress(address); err == nil {
			t.Errorf("the address %q is accepted", address)
		}
	}
}
