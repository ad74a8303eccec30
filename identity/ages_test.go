package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// answering is a host in a time of the test's own.
type answering struct {
	asked  int
	status int
	body   string
	serve  http.HandlerFunc // in place of those
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked++
	w := httptest.NewRecorder()
	if a.serve != nil {
		a.serve(w, r)
	} else {
		w.WriteHeader(a.status)
		w.WriteString(a.body)
	}
	return w.Result(), nil
}

func (a *answering) isAsked(t *testing.T, due int) {
	t.Helper()
	if a.asked != due {
		t.Errorf("it was asked %d times; due is %d", a.asked, due)
	}
}

func TestRule14AnAnswerOfTheHostIsGoodForThirtySecondsAndForFiveAboutALiveConnection(t *testing.T) { // rule 14
	synctest.Test(t, func(t *testing.T) {
		h := &answering{status: 200, body: `{"user_id": 1, "username": "alice"}`}
		gate := identity.NewHostThrough(h)
		r, again := request("Cookie", "a"), request("Cookie", "a")
		again.Recheck = true
		comesTo := func(r identity.Request, due error) {
			t.Helper()
			got, err := gate.Authenticate(t.Context(), r)
			if !errors.Is(err, due) || got.User != aliceUser {
				t.Errorf("it came to %+v, %v; due is alice, %v", got.User, err, due)
			}
		}
		comesTo(r, nil)
		h.status = 404
		time.Sleep(5 * time.Second)
		comesTo(r, nil)
		comesTo(again, nil)
		h.isAsked(t, 1)
		time.Sleep(time.Second)
		comesTo(r, nil)
		comesTo(again, identity.ErrProjectUnknown)
		comesTo(r, identity.ErrProjectUnknown)
		h.isAsked(t, 2)
		h.status = 200
		time.Sleep(30 * time.Second)
		comesTo(r, identity.ErrProjectUnknown) // of whom it is known that they may no longer
		time.Sleep(time.Second)
		comesTo(r, nil)
		h.isAsked(t, 3)
		h.status = 500
		time.Sleep(31 * time.Second)
		comesTo(r, presence.ErrUnavailable)
		comesTo(r, presence.ErrUnavailable)
		h.isAsked(t, 4)
		time.Sleep(2 * time.Second) // it is left alone for a second
		h.status = 403
		comesTo(r, identity.ErrProjectUnknown)
		h.isAsked(t, 5)
	})
}

func TestKeysAreFetchedAgainWhenTheyChangedAndKeptWhileTheyAreOutOfReach(t *testing.T) {
	set := newKeySet(t)
	synctest.Test(t, func(t *testing.T) {
		h := &answering{serve: set.serve}
		gate := identity.RemoteKeysThrough(h)
		set.set(func() { set.hidden["e"] = true })
		admit := func(kid string) error {
			t.Helper()
			_, err := gate.Authenticate(t.Context(), with(set.sign(t, kid, good("jti", time.Now().String()))))
			return err
		}
		if err := admit("r"); err != nil {
			t.Fatal(err)
		}
		set.set(func() { set.hidden["e"], set.hidden["r"] = false, true }) // a rotation
		if err := admit("e"); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("a new key, just after the keys were fetched: %v", err)
		}
		h.isAsked(t, 1)
		time.Sleep(10 * time.Second)
		if err := admit("e"); err != nil {
			t.Errorf("a new key, ten seconds later: %v", err)
		}
		h.isAsked(t, 2)
		if err := admit("r"); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("a key that was withdrawn: %v", err)
		}
		h.isAsked(t, 2)
		set.set(func() { set.status = 500 })
		time.Sleep(6 * time.Minute)
		if err := admit("e"); err != nil {
			t.Errorf("a known key, while the keys are out of reach: %v", err)
		}
		if err := admit("r"); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("another key, while the keys are out of reach: %v; due is that it is not known", err)
		}
		h.isAsked(t, 3)
		time.Sleep(time.Hour)
		if err := admit("e"); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("an hour later: %v; due is that it is not known", err)
		}
	})
}

func TestATokenThatHasEndedIsInvalidThoughTheKeysAreOutOfReach(t *testing.T) {
	set := newKeySet(t)
	synctest.Test(t, func(t *testing.T) {
		gate := identity.RemoteKeysThrough(&answering{serve: set.serve})
		r := with(set.sign(t, "r", good()))
		if _, err := gate.Authenticate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		set.set(func() { set.status = 500 })
		time.Sleep(3 * time.Hour)
		if _, err := gate.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("it came to %v", err)
		}
	})
}

func TestAboveALimitTheHostIsAskedAboutNobodyNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &answering{status: 200, body: `{"user_id": 1, "username": "alice"}`}
		gate := identity.NewHostThrough(h)
		known, stranger := request("Cookie", "known"), request("Cookie", "new")
		if _, err := gate.Authenticate(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		known.LimitExceeded, stranger.LimitExceeded = true, true
		if _, err := gate.Authenticate(t.Context(), stranger); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("somebody new came to %v", err)
		}
		h.isAsked(t, 1)
		time.Sleep(time.Minute)
		if _, err := gate.Authenticate(t.Context(), known); err != nil { // whose renewals succeed
			t.Errorf("somebody known came to %v", err)
		}
		h.isAsked(t, 2)
	})
}

func TestAKeyThatIsWithdrawnIsGoodForNoRememberedToken(t *testing.T) {
	set := newKeySet(t)
	synctest.Test(t, func(t *testing.T) {
		gate := identity.RemoteKeysThrough(&answering{serve: set.serve})
		r := with(set.sign(t, "r", good()))
		if _, err := gate.Authenticate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		set.set(func() { set.hidden["r"] = true })
		time.Sleep(6 * time.Minute)
		if _, err := gate.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("its key is gone, and it came to %v", err)
		}
	})
}

// records is a log that keeps the level and the number of lines left out of each line.
type records struct {
	slog.Handler
	level slog.Level
	mu    sync.Mutex
	lines []string
}

func (r *records) Enabled(_ context.Context, level slog.Level) bool { return level >= r.level }

func (r *records) Handle(_ context.Context, record slog.Record) error {
	line := record.Level.String()
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "status" || a.Key == "left_out" {
			line += " " + a.String()
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	return nil
}

func TestHostFailuresAreLoggedOnceAMinuteAndEachAtDebugLevel(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelInfo:  "ERROR status=500, ERROR status=502 left_out=1",
		slog.LevelDebug: "DEBUG status=500, ERROR status=500, DEBUG status=501, DEBUG status=502, ERROR status=502 left_out=1",
	} {
		synctest.Test(t, func(t *testing.T) {
			log := &records{level: level}
			h := &answering{status: 500}
			gate := identity.NewLoggingHostThrough(h, slog.New(log))
			for i := range 3 {
				h.status = 500 + i
				if _, err := gate.Authenticate(t.Context(), request()); !errors.Is(err, presence.ErrUnavailable) {
					t.Errorf("status %d: %v; want unavailable", 500+i, err)
				}
				time.Sleep(2 * time.Second)
			}
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			log.mu.Lock()
			defer log.mu.Unlock()
			if got := strings.Join(log.lines, ", "); got != want {
				t.Errorf("at level %v the log has\n%s; want\n%s", level, got, want)
			}
		})
	}
}
