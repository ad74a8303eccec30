package sqlitestore

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/storetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, test func(*testing.T, *storetest.Subject)) {
		in(t, func(t *testing.T) {
			dir := t.TempDir()
			s, _ := run(t, dir, Options{})
			test(t, &storetest.Subject{
				Store: s, Lease: presence.DefaultLease, Grain: 25 * time.Millisecond, Now: time.Now, Renews: true,
				Pass: func(d time.Duration) { time.Sleep(d); synctest.Wait() },
				Restart: func() presence.Store {
					dir = killed(t, dir)
					s, _ := run(t, dir, Options{})
					return s
				},
			})
		})
	})
}

func TestConcurrentEntrantsAreToldOfEachOther(t *testing.T) { // rules 5, 6 and 18, case 21, invariant 5
	s, _ := run(t, t.TempDir(), Options{})
	for round := range 3 {
		storetest.EnterStores(t, presence.Project(fmt.Sprint("p", round)), s)
	}
}

func TestTableHasTheColumnsOfTheSpecification(t *testing.T) {
	dir := t.TempDir()
	s, _ := run(t, dir, Options{})
	update(t, s, alice, presence.Update{Session: "x", Seq: 3, Section: "manuscript/abstract"})
	if n := rows(t, dir, "project = 'p' AND user = '1' AND session = 'x' AND username = 'Alice' AND current_section = 'manuscript/abstract' AND activity = 'editing' AND seq = 3 AND last_seen > 0 AND is_active = 1"); n != 1 {
		t.Errorf("got %d rows of Alice's session, want 1", n)
	}
	if _, err := s.Leave(t.Context(), "p", alice, presence.Leave{Session: "x", Seq: 4}); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, dir, "session = 'x' AND is_active = 0 AND seq = 4 AND current_section = ''"); n != 1 {
		t.Errorf("got %d rows of Alice's ended session, want 1", n)
	}
}

func TestRenewalIsWrittenWithinFiveSeconds(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(30 * time.Second)
		update(t, s, alice, presence.Update{Section: "a"})
		seen := fmt.Sprintf("last_seen = %d", time.Now().UnixMilli())
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := rows(t, dir, seen); n != 1 {
			t.Errorf("five seconds after the renewal: got %d rows with it, want 1", n)
		}
	})
}

func TestExpiredSessionIsWrittenAndLaterDeleted(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(presence.DefaultLease + 5*time.Second)
		synctest.Wait()
		if n := rows(t, dir, "is_active = 0"); n != 1 {
			t.Errorf("got %d rows of ended sessions, want 1", n)
		}
		time.Sleep(presence.Finality + presence.DefaultLease + 2*time.Minute)
		synctest.Wait()
		if n, held := rows(t, dir, "true"), s.projectCount(); n != 0 || held != 0 {
			t.Errorf("long after the end: got %d rows and %d projects, want none", n, held)
		}
	})
}

func TestShutdownWritesAllRenewals(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		time.Sleep(time.Second)
		update(t, s, alice, presence.Update{Section: "a"})
		seen := fmt.Sprintf("last_seen = %d", time.Now().UnixMilli())
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if n := rows(t, dir, seen); n != 1 {
			t.Errorf("got %d rows with the last renewal, want 1", n)
		}
	})
}
