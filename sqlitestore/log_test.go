package sqlitestore

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// fill sets every field of a struct to a value that is not its zero value.
func fill(v reflect.Value, n *int) {
	for i := range v.NumField() {
		*n++
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprint("text ", *n))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Uint64:
			f.SetUint(1<<40 + uint64(*n))
		case reflect.Struct:
			if f.Type() == reflect.TypeFor[time.Time]() {
				f.Set(reflect.ValueOf(time.UnixMilli(1_700_000_000_123)))
				continue
			}
			fill(f, n)
		default:
			panic("a field of type " + f.Type().String())
		}
	}
}

func TestLogHasEveryFieldOfARecord(t *testing.T) {
	var full presence.Record
	fill(reflect.ValueOf(&full).Elem(), new(int))
	want := map[key]presence.Record{
		{"p", full.User.ID, full.Session}: full,
		{"p", "2", ""}:                    {User: presence.User{ID: "2"}, LastSeen: time.UnixMilli(-5)},
	}
	for i, user := range []presence.User{{Visitor: true}, {Agent: true}, {}, {}} { // each flag by itself
		user.ID = presence.UserID(fmt.Sprint("flag ", i))
		want[key{"p", user.ID, ""}] = presence.Record{User: user, Unsaved: i == 2, Active: i == 3, LastSeen: time.UnixMilli(0)}
	}
	encoded, got := encodeRecords(want), map[key]presence.Record{}
	if ok := decodeRecords(encoded, got); !ok || !maps.Equal(got, want) {
		t.Errorf("read from the log: got %+v, want %+v", got, want)
	}
	for n := range len(encoded) {
		records := map[key]presence.Record{}
		if decodeRecords(encoded[:n], records) && len(records) == len(want) {
			t.Errorf("the first %d of %d bytes are read as all records", n, len(encoded))
		}
	}
}

// logRows counts the rows of the log of a copy, and tableRows those of sessions in their table.
func logRows(t *testing.T, dir string) int {
	t.Helper()
	return countRows(t, killed(t, dir), "SELECT count(*) FROM writer_presence_log")
}

func tableRows(t *testing.T, dir, where string) int {
	t.Helper()
	return countRows(t, killed(t, dir), "SELECT count(*) FROM writer_presence WHERE "+where)
}

// enterProjects has Alice enter projects p0, p1 and so on.
func enterProjects(t *testing.T, s *Store, n int) {
	t.Helper()
	for i := range n {
		_, err := s.Update(t.Context(), presence.Project(fmt.Sprint("p", i)), alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
		must(t, err)
	}
}

func TestCompactionMovesTheLogAndLosesNobodyAtAKill(t *testing.T) { // invariant 6
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		time.Sleep(compactEvery - 2*tick)
		seq := uint64(0)
		for range 10 {
			seq++
			update(t, s, alice, presence.Update{Session: "x", Seq: seq, Section: presence.Section(fmt.Sprint("a", seq))})
		}
		update(t, s, bob, presence.Update{Session: "y", Seq: 1, Section: "b"})
		if n := tableRows(t, dir, "true"); n != 0 {
			t.Fatalf("before the compaction: got %d rows in the table of sessions, want none", n)
		}
		for step := range 12 {
			seq++
			section := fmt.Sprint("a", seq)
			update(t, s, alice, presence.Update{Session: "x", Seq: seq, Section: presence.Section(section)})
			again, stop := run(t, killed(t, dir), Options{})
			want := fmt.Sprintf(`[1 "Alice" editing in [%s]  [] 2 "Bob" editing in [b]  []]`, section)
			if got := fmt.Sprint(shown(t, again)); got != want {
				t.Errorf("step %d, after a kill: got %s, want %s", step, got, want)
			}
			must(t, stop())
			time.Sleep(tick)
			synctest.Wait()
		}
		if n := tableRows(t, dir, "is_active = 1"); n != 2 {
			t.Errorf("after the compaction: got %d rows in the table of sessions, want 2", n)
		}
		if n := logRows(t, dir); n > 12 {
			t.Errorf("after the compaction: got %d rows in the log, want at most the 12 since it was due", n)
		}
	})
}

func TestLogOfAnEarlierProcessIsKeptAtTheStartAndCompactedLater(t *testing.T) { // invariant 6
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
		must(t, stop())
		s, stop = run(t, dir, Options{})
		if got := listed(t, s); got != "Alice" {
			t.Errorf("after a restart: got %q, want Alice", got)
		}
		if log, table := logRows(t, dir), tableRows(t, dir, "true"); log == 0 || table != 0 {
			t.Errorf("a start writes: got %d rows in the log and %d in the table, want the log only", log, table)
		}
		time.Sleep(compactEvery + 2*sweepEvery)
		synctest.Wait()
		if log, table := logRows(t, dir), tableRows(t, dir, "true"); log != 0 || table != 1 {
			t.Errorf("after the next compaction: got %d rows in the log and %d in the table, want none and 1", log, table)
		}
		must(t, stop())
	})
}

// A step takes about a millisecond of a single core, in which nothing is delivered.
func TestCompactionStepIsBoundedAndLosesNoSession(t *testing.T) { // invariant 6
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		const people = 200
		enterProjects(t, s, people)
		s.db.log.size.Store(minLog + 1000*logPerUser)
		log, table := logRows(t, dir), 0
		if log <= 2*minDeleted {
			t.Fatalf("the log has %d rows, too few to see steps", log)
		}
		for steps := 0; log > 0; steps++ {
			if steps > 2*people/minStep+log/minDeleted+5 {
				t.Fatalf("after %d steps: got %d rows in the log and %d in the table, want none and %d", steps, log, table, people)
			}
			time.Sleep(tick)
			synctest.Wait()
			cut, written := log-logRows(t, dir), tableRows(t, dir, "true")-table
			log, table = log-cut, table+written
			if cut > minDeleted || written > minStep {
				t.Errorf("step %d deleted %d rows of the log and wrote %d sessions, want at most %d and %d", steps, cut, written, minDeleted, minStep)
			}
			if n := rows(t, dir, "is_active = 1"); n != people {
				t.Errorf("step %d: a start would read %d sessions, want %d", steps, n, people)
			}
		}
		if table != people {
			t.Errorf("got %d rows in the table of sessions, want %d", table, people)
		}
	})
}

// The limit of the log is there for the disk and for the next start, which reads it all.
func TestCompactionStepsGrowWithTheLog(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		const people = 200
		enterProjects(t, s, people)
		s.db.log.size.Store(s.logLimit() + 1)
		time.Sleep(tick)
		synctest.Wait() // it has begun
		s.db.log.size.Store(7 * s.logLimit())
		for range 2*people/(8*minStep) + 1 {
			time.Sleep(tick)
			synctest.Wait()
		}
		if n := tableRows(t, dir, "true"); n != people {
			t.Errorf("after steps of eight times the usual size: got %d rows in the table of sessions, want %d", n, people)
		}
		time.Sleep(tick)
		synctest.Wait()
		if n := logRows(t, dir); n > people/4 {
			t.Errorf("after a cut of eight times the usual size: got %d rows in the log, want few", n)
		}
	})
}

// With nobody there, or so few that one step writes them all.
func TestCompactionOfFewSessionsCutsTheLog(t *testing.T) {
	for _, people := range []int{0, 1} {
		in(t, func(t *testing.T) {
			dir := t.TempDir()
			s, stop := run(t, dir, Options{})
			for range people {
				update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
			}
			if people == 0 {
				update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
				_, err := s.Leave(t.Context(), "p", alice, presence.Leave{Session: "x", Seq: 2})
				must(t, err)
				must(t, stop())
				time.Sleep(presence.Finality + time.Second)
				s, stop = run(t, dir, Options{}) // holds no project
			}
			clock, err := s.db.clock()
			must(t, err)
			s.db.log.size.Store(minLog + 10*logPerUser)
			time.Sleep(2 * sweepEvery)
			synctest.Wait()
			if n := logRows(t, dir); n != 0 {
				t.Errorf("with %d people: got %d rows in the log after its compaction, want none", people, n)
			}
			if after, err := s.db.clock(); err != nil || after <= clock {
				t.Errorf("with %d people: got clock %d in its table, %v; want more than %d, since the log had it", people, after, err, clock)
			}
			must(t, stop())
		})
	}
}

// leaveAfterCompaction runs a store in which alice enters, a compaction writes her session to the table, and she leaves.
func leaveAfterCompaction(t *testing.T, dir string, o Options) {
	t.Helper()
	s, stop := run(t, dir, o)
	update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	s.db.log.size.Store(s.logLimit() + 1)
	time.Sleep(2 * sweepEvery)
	synctest.Wait()
	_, err := s.Leave(t.Context(), "p", alice, presence.Leave{Session: "x", Seq: 2})
	must(t, err, stop())
}

// A project whose people have all left is not held after a start, so no compaction writes its end.
func TestEndThatIsOlderThanAStartStaysAnEnd(t *testing.T) { // rule 8
	in(t, func(t *testing.T) {
		dir, options := t.TempDir(), Options{Lease: time.Hour}
		leaveAfterCompaction(t, dir, options)
		time.Sleep(presence.Finality + time.Minute)
		for range 2 {
			s, stop := run(t, dir, options)
			if got := listed(t, s); got != "" {
				t.Errorf("after a restart: got %q, want nobody, since she has left", got)
			}
			_, err := s.Update(t.Context(), "other", bob, presence.Update{Session: "y", Seq: 1, Section: "a"})
			must(t, err)
			s.db.log.size.Store(minLog + 10*logPerUser)
			time.Sleep(2 * sweepEvery)
			synctest.Wait()
			must(t, stop())
		}
	})
}

// Most projects are held without anybody in them, for example because pages watch them.
func TestCompactionOfManyProjectsKeepsEnds(t *testing.T) { // rule 8
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, stop := run(t, dir, Options{Lease: time.Hour})
		const people, held = 40, 10_000
		enterProjects(t, s, people)
		s.db.log.size.Store(s.logLimit() + 1)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := tableRows(t, dir, "is_active = 1"); n != people {
			t.Fatalf("got %d rows in the table of sessions, want %d", n, people)
		}
		for i := range held {
			defer s.Watch(presence.Project(fmt.Sprint("held", i)), func() {})()
		}
		for i := range people {
			_, err := s.Leave(t.Context(), presence.Project(fmt.Sprint("p", i)), alice, presence.Leave{Session: "x", Seq: 2})
			must(t, err)
		}
		s.db.log.size.Store(s.logLimit() + 1)
		time.Sleep(2 * maxSteps * tick)
		synctest.Wait()
		if n := tableRows(t, dir, "is_active = 1"); n != 0 {
			t.Errorf("after the steps of a compaction %d of %d sessions that have left are active in their table", n, people)
		}
		time.Sleep(presence.Finality + compactEvery + time.Minute)
		synctest.Wait()
		if n := rows(t, dir, "is_active = 1"); n != 0 {
			t.Errorf("%d sessions that have left are active after a restart", n)
		}
		must(t, stop())
		if s.toCompact != nil {
			t.Error("the names of the projects stay in memory")
		}
	})
}

// An end that is younger than Finality at a start is forgotten before the first compaction.
func TestEndShortlyBeforeAStartStaysAnEnd(t *testing.T) { // rule 8
	in(t, func(t *testing.T) {
		dir, options := t.TempDir(), Options{Lease: time.Hour}
		leaveAfterCompaction(t, dir, options)
		time.Sleep(presence.Finality - time.Minute)
		for range 2 {
			s, stop := run(t, dir, options)
			if got := listed(t, s); got != "" {
				t.Errorf("after a restart: got %q, want nobody", got)
			}
			_, err := s.Update(t.Context(), "other", bob, presence.Update{Session: "y", Seq: 1, Section: "a"})
			must(t, err)
			time.Sleep(compactEvery + time.Minute)
			synctest.Wait()
			must(t, stop())
		}
	})
}

func TestCompactionWaitsForItsCommitsAndForADiskThatFails(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		enterProjects(t, s, 100)
		time.Sleep(sweepEvery)
		full(t, s, true)
		s.db.log.size.Store(minLog + 1000*logPerUser)
		for range 30 {
			time.Sleep(sweepEvery)
		}
		synctest.Wait()
		s.journal.mu.Lock()
		queued := len(s.journal.pending.sessions)
		s.journal.mu.Unlock()
		if queued == 0 || queued > minStep {
			t.Errorf("while the disk fails the sessions of %d projects of 100 are queued, want those of one step, at most %d", queued, minStep)
		}
		full(t, s, false)
		for range 30 {
			time.Sleep(sweepEvery)
		}
		synctest.Wait()
		if n := tableRows(t, dir, "true"); n != 100 {
			t.Errorf("got %d rows in the table of sessions, want 100", n)
		}
	})
}

func TestLogIsCompactedWhenItIsLarge(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
		time.Sleep(3 * sweepEvery)
		synctest.Wait()
		if n := tableRows(t, dir, "true"); n != 0 {
			t.Errorf("a small log: got %d rows in the table of sessions, want none", n)
		}
		s.db.log.size.Store(minLog + 10*logPerUser)
		time.Sleep(3 * sweepEvery)
		synctest.Wait()
		if n := tableRows(t, dir, "true"); n != 1 || s.db.log.size.Load() != 0 {
			t.Errorf("a large log: got %d rows in the table of sessions and size %d, want 1 and 0", n, s.db.log.size.Load())
		}
		before := logRows(t, dir)
		time.Sleep(presence.DefaultLease + 2*compactEvery) // the session expires, which is logged
		synctest.Wait()
		if n := logRows(t, dir); before != 0 || n != 0 {
			t.Errorf("got %d rows in the log after the compaction and %d after the next, want none", before, n)
		}
	})
}

// Rows of new files have low numbers, and all sessions are in them.
func TestCompactionThatBeganBeforeFilesWereLostKeepsTheNewLog(t *testing.T) { // invariant 6
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	defer s.db.close()
	write := func(c changes) error { return s.write(c, 1, time.Time{}) }
	p := s.lockProject("p")
	_, _, err = p.roster.Update(time.Now(), alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	p.mu.Unlock()
	must(t, err)
	other := newChanges(1)
	other.put("p", unwritten{records: []presence.Record{{User: bob, Session: "y", Active: true, LastSeen: time.Now()}}})
	for range 5 {
		must(t, write(other))
	}
	begins, deletes := newChanges(0), newChanges(0)
	begins.begins, deletes.deletes = true, minDeleted
	must(t, write(begins), os.Remove(filepath.Join(dir, fileName)))
	if err := write(other); !errors.Is(err, errFileLost) {
		t.Fatalf("the commit after the removal says %v", err)
	}
	must(t, write(other), write(deletes))
	if n := rows(t, dir, "user = '1'"); n != 1 {
		t.Errorf("got %d rows of Alice's session in the new files, want 1", n)
	}
}

func TestCompactionRemovesSessionsThatTheRosterHasDropped(t *testing.T) { // rule 8
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	defer s.db.close()
	for _, sessions := range [][]presence.Record{{{User: alice, Session: "x", Active: true, LastSeen: time.Now()}}, {}} {
		c := newChanges(0)
		c.put("p", unwritten{sessions: sessions})
		must(t, s.db.write(c, 1, time.Time{}))
		if n := tableRows(t, dir, "project = 'p'"); n != len(sessions) {
			t.Errorf("got %d rows of the project, want %d", n, len(sessions))
		}
	}
}
