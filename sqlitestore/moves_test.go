package sqlitestore

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func movedRows(t *testing.T, dir string) int {
	t.Helper()
	return countRows(t, dir, "SELECT count(*) FROM writer_presence_moves")
}

func move(t *testing.T, s *Store, from, to presence.Section) presence.Reply {
	t.Helper()
	reply, err := s.Move(t.Context(), "p", from, to)
	must(t, err)
	return reply
}

func TestRowOfMoveIsDeletedAfterTenMinutes(t *testing.T) { // rules 16 and 23
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		move(t, s, "a", "b")
		if s.find("p") != nil || movedRows(t, dir) != 0 {
			t.Errorf("a move in an unknown project created it, with %d rows", movedRows(t, dir))
		}
		update(t, s, alice, presence.Update{Session: "x", Section: "a"})
		move(t, s, "a", "b")
		if n := movedRows(t, dir); n != 1 {
			t.Errorf("got %d rows, want 1", n)
		}
		time.Sleep(presence.Finality - time.Minute)
		if n := movedRows(t, dir); n != 1 {
			t.Errorf("before the end of Finality: got %d rows, want 1", n)
		}
		time.Sleep(3 * time.Minute)
		if n := movedRows(t, dir); n != 0 {
			t.Errorf("later: got %d rows, want none", n)
		}
		time.Sleep(presence.Finality)
		if s.find("p") != nil {
			t.Error("the project is held long after everything in it ended")
		}
	})
}

func TestMovesAreRewrittenAfterFilesAreLost(t *testing.T) { // rule 23, invariant 6
	in(t, func(t *testing.T) {
		s, dir, _ := whileRunning(t, func(string) error { return nil })
		known := update(t, s, alice, presence.Update{Session: "x", Section: "a"}).Version
		move(t, s, "a", "b")
		must(t, os.Remove(dir+"/"+fileName))
		if reply := move(t, s, "b", "c"); reply.Durable {
			t.Error("a move after the files are lost: got durable, want not")
		}
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		again, _ := run(t, killed(t, dir), Options{})
		if got := update(t, again, bob, presence.Update{Section: "a", Known: known}).You.Section; got != "c" {
			t.Errorf("after a kill, an update as of before the moves is in %q, want c", got)
		}
	})
}
