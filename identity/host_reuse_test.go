package identity_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// countingHost returns an authenticator of a host with this answer, and the number of connections to the host.
func countingHost(t *testing.T, answer http.HandlerFunc) (auth *identity.Host, connections *atomic.Int32) {
	t.Helper()
	connections = new(atomic.Int32)
	server := httptest.NewUnstartedServer(answer)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	auth, err := identity.NewHost(server.URL+"/presence/{project}/", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return auth, connections
}

// ask authenticates n requests with different cookies, so that no answer comes from the cache.
func ask(t *testing.T, auth *identity.Host, n int) {
	t.Helper()
	for i := range n {
		auth.Authenticate(t.Context(), request("Cookie", fmt.Sprint("session=", i)))
	}
}

func TestHostConnectionsAreReusedAfterEveryAnswer(t *testing.T) {
	bodies := map[string]string{
		"an empty body":  "",
		"JSON":           `{"user_id": null}`,
		"a user":         `{"user_id": 1, "username": "alice"}`,
		"a page":         "<!DOCTYPE html>" + strings.Repeat("x", 8<<10),
		"16 KiB":         strings.Repeat("x", 16<<10),
		"a long page":    strings.Repeat("x", 100<<10),
		"a long JSON":    `{"user_id": 1, "username": "` + strings.Repeat("x", 100<<10) + `"}`,
		"half an object": `{"user_id": `,
	}
	for _, status := range []int{200, 302, 401, 403, 404, 500} {
		for name, body := range bodies {
			for _, marked := range []bool{false, true} {
				auth, connections := countingHost(t, func(w http.ResponseWriter, r *http.Request) {
					if marked {
						w.Header().Set("Writer-Presence", "1")
					}
					if status/100 == 3 {
						w.Header().Set("Location", "/accounts/login/")
					}
					w.WriteHeader(status)
					if marked { // in chunks
						w.(http.Flusher).Flush()
					}
					w.Write([]byte(body))
				})
				if ask(t, auth, 100); connections.Load() > 5 { // one, and some more on a machine that stalls for longer than the deadline
					t.Errorf("100 answers %d with %s: got %d connections, want 1", status, name, connections.Load())
				}
			}
		}
	}
}

func TestEndlessHostAnswerIsCutOff(t *testing.T) {
	for name, pause := range map[string]time.Duration{"fast": 0, "slow": 100 * time.Millisecond} {
		for _, status := range []int{200, 401, 500} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				t.Parallel()
				ended := make(chan struct{}, 10)
				auth, _ := countingHost(t, func(w http.ResponseWriter, r *http.Request) {
					defer func() { ended <- struct{}{} }()
					w.WriteHeader(status)
					for {
						if _, err := w.Write([]byte(strings.Repeat("x", 17<<10))); err != nil {
							return
						}
						w.(http.Flusher).Flush()
						select {
						case <-time.After(pause):
						case <-r.Context().Done():
							return
						}
					}
				})
				began := time.Now()
				_, err := auth.Authenticate(t.Context(), request("Cookie", "session=alice"))
				if took := time.Since(began); !isUnavailable(err) || took > 4*time.Second {
					t.Errorf("got %v after %v, want ErrUnavailable within 4 s", err, took)
				}
				select {
				case <-ended:
				case <-time.After(5 * time.Second):
					t.Error("the connection is still open after 5 s")
				}
			})
		}
	}
}

func isUnavailable(err error) bool { return errors.Is(err, presence.ErrUnavailable) }
