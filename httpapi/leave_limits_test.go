package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// flood sends requests one after the other and counts the statuses. For speed it does not check the contract.
func flood(t *testing.T, w *servertest.Server, n int, over time.Duration, request func(i int) *http.Request) (statuses map[int]int) {
	t.Helper()
	statuses = map[int]int{}
	began := time.Now()
	for i := range n {
		r := request(i)
		if r.Header.Get("Content-Type") == "" {
			r.Header.Set("Content-Type", "application/json")
		}
		recorder := httptest.NewRecorder()
		w.Handler.ServeHTTP(recorder, r)
		statuses[recorder.Code]++
		if after, err := strconv.Atoi(recorder.Header().Get("Retry-After")); recorder.Code == 429 && (err != nil || after < 1) {
			t.Fatalf("429 with Retry-After %q", recorder.Header().Get("Retry-After"))
		}
		time.Sleep(time.Until(began.Add(time.Duration(i) * over / time.Duration(n))))
	}
	return statuses
}

func TestLeavesOfEndedSessionsAreRateLimited(t *testing.T) {
	const many = 1000 // 240 are allowed
	const over = 7 * time.Second
	for name, body := range map[string]func(i int) string{
		"unknown sessions":                    func(i int) string { return fmt.Sprintf(`{"session":"s%d","seq":1}`, i) },
		"unknown sessions, hidden":            func(i int) string { return fmt.Sprintf(`{"session":"s%d","seq":1,"hidden":true}`, i) },
		"unknown sessions, without seq":       func(i int) string { return fmt.Sprintf(`{"session":"s%d"}`, i) },
		"one unknown session, with a new seq": func(i int) string { return fmt.Sprintf(`{"session":"s","seq":%d}`, i+1) },
		"one session, with an old seq":        func(int) string { return `{"session":"living","seq":1}` },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var store servertest.SpyStore
				w := servertest.New(t, servertest.Direct, store.Install, func(p *servertest.Config) { p.UserRate = identity.Rate{} })
				alice := w.As("alice", "1")
				alice.Update(`{"section":"s","session":"living","seq":1}`)
				began := time.Now()
				got := flood(t, w, many, over, func(i int) *http.Request {
					r := httptest.NewRequest("POST", "http://"+w.Host+httpapi.DefaultPrefix+servertest.ProjectPath+"leave/", strings.NewReader(body(i)))
					r.RemoteAddr = "127.0.0.1:4711"
					r.Header.Set("Authorization", "Bearer "+alice.Token)
					return r
				})
				allowed := 100 + int(httpapi.DefaultUserRate.PerSecond*time.Since(began).Seconds()) // the limiter refills during the commits
				if got[200] > allowed || got[200] < allowed-5 || got[200]+got[429] != many {
					t.Errorf("%d leaves got %v, want %d with 200 and the others with 429", many, got, allowed)
				}
				if store.Creations > allowed+1 {
					t.Errorf("%d messages reached the store that may leave something there, want %d at most", store.Creations, allowed+1)
				}
				if reply := alice.Leave(`{"session":"living","seq":2}`); reply.Stale {
					t.Errorf("over the limit the leave of a living session: got %+v", reply)
				}
				w.ExpectListed("")
			})
		})
	}
}

func TestUnknownCallerOverTheLimitOfTheAddressGets429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
			p.UserRate, p.AddressRate = identity.Rate{}, identity.Rate{PerSecond: 1, Burst: 3}
		})
		p := w.Anonymous()
		for range 3 {
			p.Post("leave", `{"session":"s"}`).ExpectError(t, 401, "unauthenticated")
		}
		got := p.Post("leave", `{"session":"s"}`)
		got.ExpectError(t, 429, "too_many_requests")
		if after := got.Header.Get("Retry-After"); after != "1" {
			t.Errorf("Retry-After is %q, want 1", after)
		}
		w2 := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.AddressRate, p.Visitors = identity.Rate{PerSecond: 1, Burst: 1}, nil })
		closed := w2.Anonymous()
		closed.Post("leave", `{}`).ExpectError(t, 401, "unauthenticated")
		closed.Post("leave", `{}`).ExpectError(t, 429, "too_many_requests")
	})
}

func TestVisitorOverTheLimitCanLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.AddressRate = identity.Rate{PerSecond: 0.01, Burst: 1} })
		p := w.Anonymous()
		p.Update(`{"section":"s","session":"a","seq":1}`)
		p.Post("leave", `{"session":"b","seq":1}`).ExpectError(t, 429, "too_many_requests")
		p.Leave(`{"session":"a","seq":2}`)
		p.Post("leave", `{"session":"a","seq":3}`).ExpectError(t, 429, "too_many_requests") // the session has ended
	})
}
