package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func save(section presence.Section, revision string) presence.Update {
	return presence.Update{Session: "x", Section: "desk", Saved: presence.Saved{Section: section, Revision: revision}}
}

// saves returns the saves that a project has, "section revision" of each.
func saves(t *testing.T, s *Store, project presence.Project) string {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context(), project)
	must(t, err)
	var all []string
	for _, save := range snapshot.Saves {
		all = append(all, fmt.Sprint(save.Section, " ", save.Revision))
	}
	return strings.Join(all, ", ")
}

func TestRowOfDroppedSaveIsDeleted(t *testing.T) { // rules 16 and 19
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		for i := range presence.MaxSaves + 5 {
			update(t, s, alice, save(presence.Section(fmt.Sprint("s", i)), "1"))
		}
		if n := savedRows(t, dir, "true"); n != presence.MaxSaves {
			t.Errorf("beyond the limit: got %d rows of saves, want %d", n, presence.MaxSaves)
		}
		if n := savedRows(t, dir, "section IN ('s0', 's4')"); n != 0 {
			t.Errorf("got %d rows of the oldest saves, want none", n)
		}
		again, _ := run(t, killed(t, dir), Options{})
		snapshot, err := again.Snapshot(t.Context(), "p")
		must(t, err)
		if len(snapshot.Saves) != presence.MaxSaves {
			t.Errorf("after a kill: got %d saves, want %d", len(snapshot.Saves), presence.MaxSaves)
		}
	})
}

// What drops the save differs: the timer wheel, a watch that ends, or a read.
func TestProjectIsKeptWhileItHasSaves(t *testing.T) { // rule 19
	for _, how := range []string{"timer wheel", "watch", "read"} {
		in(t, func(t *testing.T) {
			dir := t.TempDir()
			s, _ := run(t, dir, Options{})
			stop := func() {}
			if how == "watch" {
				stop = s.Watch("p", func() {})
			}
			update(t, s, alice, save("a", "1"))
			time.Sleep(presence.DefaultLease + presence.Finality - 10*time.Second)
			if got := saves(t, s, "p"); got != "a 1" || s.find("p") == nil {
				t.Errorf("%s: before the end of Finality: got %q, project held %v, want a 1, true", how, got, s.find("p") != nil)
			}
			if how == "read" {
				time.Sleep(11 * time.Second)
				if got := saves(t, s, "p"); got != "" {
					t.Errorf("%s: after Finality: got %q, want none", how, got)
				}
			}
			time.Sleep(90 * time.Second)
			stop()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if got := saves(t, s, "p"); got != "" || s.find("p") != nil {
				t.Errorf("%s: long after: got %q, project held %v, want none, false", how, got, s.find("p") != nil)
			}
			if n := savedRows(t, dir, "true"); n != 0 {
				t.Errorf("%s: long after: got %d rows of saves, want none", how, n)
			}
		})
	}
}

func TestStaleSavesAreDeletedAtTheStart(t *testing.T) { // rule 19
	for name, c := range map[string]struct {
		others   int // saves of other projects without anybody
		down     time.Duration
		want     string
		wantRows int
	}{
		"a short downtime":                    {0, presence.Finality - time.Minute, "a 1", 1},
		"a long downtime":                     {0, presence.Finality + time.Second, "", 0},
		"a long downtime of a few":            {20, presence.Finality + time.Second, "", 0},
		"a long downtime of many, in no time": {3000, presence.Finality + time.Second, "", 0},
		"many that stay":                      {3000, time.Minute, "a 1", 3001},
	} {
		in(t, func(t *testing.T) {
			dir := t.TempDir()
			s, stop := run(t, dir, Options{})
			update(t, s, alice, save("a", "1"))
			for i := range c.others {
				project := presence.Project(fmt.Sprint("q", i))
				s.journal.addLater(project, 1, unwritten{saves: []presence.Save{{Saved: presence.Saved{Section: "a", Revision: strings.Repeat("r", 60)}, User: "1", Name: "Alice", At: time.Now()}}})
			}
			must(t, stop())
			time.Sleep(c.down)
			s, _ = run(t, dir, Options{})
			time.Sleep(5 * time.Second) // until the sweep has dropped those of projects whose sessions were restored
			synctest.Wait()
			if got := saves(t, s, "p"); got != c.want {
				t.Errorf("%s: got saves %q, want %q", name, got, c.want)
			}
			if n := savedRows(t, dir, "true"); n != c.wantRows {
				t.Errorf("%s: got %d rows, want %d", name, n, c.wantRows)
			}
		})
	}
}

func TestOldSaveOfProjectWithSessionsIsRestored(t *testing.T) { // rule 19
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		update(t, s, alice, save("a", "1"))
		for range 20 {
			time.Sleep(time.Minute)
			update(t, s, alice, presence.Update{Session: "x", Section: "desk"})
		}
		_, err := s.Leave(t.Context(), "p", alice, presence.Leave{Session: "x"})
		must(t, err, stop())
		time.Sleep(presence.Finality - time.Minute)
		s, _ = run(t, dir, Options{})
		if got := saves(t, s, "p"); got != "a 1" {
			t.Errorf("within Finality of the last session: got saves %q, want a 1", got)
		}
		time.Sleep(time.Minute + time.Second)
		if got := saves(t, s, "p"); got != "" {
			t.Errorf("later: got saves %q, want none", got)
		}
	})
}

func TestSaveWithFutureTimeIsRestoredAsOfNow(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		update(t, s, alice, save("a", "1"))
		future := presence.Save{Saved: presence.Saved{Section: "b", Revision: "1"}, User: "1", Name: "Alice", At: time.Now().Add(time.Hour)}
		s.journal.addLater("p", 1, unwritten{saves: []presence.Save{future}})
		must(t, stop())
		time.Sleep(time.Second)
		s, _ = run(t, dir, Options{})
		snapshot, err := s.Snapshot(t.Context(), "p")
		must(t, err)
		if len(snapshot.Saves) != 2 || !snapshot.Saves[1].At.Equal(time.Now()) {
			t.Fatalf("got saves %q, the second at %v, want it at %v", saves(t, s, "p"), snapshot.Saves[1].At, time.Now())
		}
		if ahead := int64(snapshot.Version) - time.Now().UnixMilli(); ahead > 1000 {
			t.Errorf("got a version %d ms ahead of the clock, want 1000 at most", ahead)
		}
	})
}

func TestSavesAreRewrittenAfterFilesAreLost(t *testing.T) { // invariant 6
	in(t, func(t *testing.T) {
		s, dir, _ := whileRunning(t, func(string) error { return nil })
		update(t, s, alice, save("a", "1"))
		must(t, os.Remove(dir+"/"+fileName))
		if reply := update(t, s, alice, save("b", "2")); reply.Durable {
			t.Error("a save after the files are lost: got durable, want not")
		}
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if reply := update(t, s, alice, save("b", "2")); !reply.Durable {
			t.Error("the save repeated after the files are rewritten: got not durable, want durable")
		}
		again, _ := run(t, killed(t, dir), Options{})
		if got := saves(t, again, "p"); got != "a 1, b 2" {
			t.Errorf("after a kill: got saves %q, want a 1, b 2", got)
		}
	})
}

// A commit is one transaction: a moved session is never in the file under both users, or under none.
func TestMovedSessionIsWrittenUnderBothUsersInOneCommit(t *testing.T) { // rule 7, invariant 6
	const name = "0123456789abcdef"
	for how, move := range map[string]func(*Store) error{
		"update": func(s *Store) error {
			_, err := s.Update(context.Background(), "p", bob, presence.Update{Session: name, Seq: 2, Section: "a"})
			return err
		},
		"leave": func(s *Store) error {
			_, err := s.Leave(context.Background(), "p", bob, presence.Leave{Session: name, Seq: 2})
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			withDisk(t, func(s *Store, d *disk) {
				_, err := s.Update(t.Context(), "p", alice, presence.Update{Session: name, Seq: 1, Section: "a"})
				must(t, err)
				time.Sleep(time.Second)
				d.mu.Lock()
				d.commits = nil
				d.mu.Unlock()
				must(t, move(s))
				d.mu.Lock()
				defer d.mu.Unlock()
				if len(d.commits) != 1 {
					t.Fatalf("%s: got %d commits, want 1", how, len(d.commits))
				}
				of := func(u presence.User) presence.Record { return d.commits[0].records[key{"p", u.ID, name}] }
				if r := of(alice); r.Active || r.Seq != 2 {
					t.Errorf("%s: Alice's record: got %+v, want the end of her session with seq 2", how, r)
				}
				if r := of(bob); r.Active != (how == "update") || r.Seq != 2 {
					t.Errorf("%s: Bob's record: got %+v, want one with seq 2", how, r)
				}
			})
		})
	}
}

func TestRequeuedSaveDoesNotReplaceNewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j *journal
		began := time.Now()
		saved := func(section, revision string) presence.Save {
			return presence.Save{Saved: presence.Saved{Section: presence.Section(section), Revision: revision}, At: time.Now()}
		}
		j = newJournal(func(changes, uint64, time.Time) error {
			if time.Since(began) == 0 { // during the first commit
				j.addLater("p", 2, unwritten{saves: []presence.Save{saved("a", "2"), saved("c", "2")}})
			}
			return errors.New("the disk is full")
		}, slog.New(slog.DiscardHandler))
		j.addLater("p", 1, unwritten{saves: []presence.Save{saved("a", "1"), saved("b", "1"), saved("c", ""), saved("d", "")}})
		if j.commit() == nil {
			t.Fatal("the commit to a full disk has no error")
		}
		for section, want := range map[presence.Section]string{"a": "2", "b": "1", "c": "2", "d": ""} {
			if got, ok := j.pending.saves[saveKey{"p", section}]; !ok || got.Revision != want {
				t.Errorf("pending save of %s: got %q, %v, want %q", section, got.Revision, ok, want)
			}
		}
		time.Sleep(presence.Finality + time.Second)
		if j.commit() == nil || j.lag() != presence.Finality+time.Second {
			t.Errorf("lag after a failed commit: got %v, want %v", j.lag(), presence.Finality+time.Second)
		}
		if _, ok := j.pending.saves[saveKey{"p", "d"}]; ok || len(j.pending.saves) != 3 {
			t.Errorf("after Finality on a disk that fails: got %v pending, want the 3 saves and not the drop", j.pending.saves)
		}
	})
}

func TestVersionGrowsOverRestartsBeforeAndAfterSavesEnd(t *testing.T) { // rule 19, invariant 8
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		for i := range presence.MaxSaves {
			update(t, s, alice, presence.Update{Session: "x", Saved: presence.Saved{Section: presence.Section(fmt.Sprint("s", i)), Revision: "1"}})
		}
		_, err := s.Leave(t.Context(), "p", alice, presence.Leave{Session: "x"})
		must(t, err)
		must(t, stop())
		const apart = 300 * time.Millisecond
		time.Sleep(presence.Finality - apart)
		before := uint64(0)
		for _, want := range []int{presence.MaxSaves, 0} {
			s, err := Open(dir, Options{})
			must(t, err)
			snapshot, err := s.Snapshot(t.Context(), "p")
			must(t, err)
			if len(snapshot.Saves) != want || snapshot.Version < before {
				t.Errorf("%d saves at version %d; want %d, and at least version %d", len(snapshot.Saves), snapshot.Version, want, before)
			}
			before = snapshot.Version
			s.db.close() // as a kill does
			time.Sleep(2 * apart)
		}
	})
}
