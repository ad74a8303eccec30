package sqlitestore

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	presence "github.com/writer-presence/writer-presence"
)

// Without its lock, another program that opens the database, such as sqlite3, would take itself for the last one when it
// ends, and delete the -wal.
func TestSQLiteKeepsItsLockOnTheDatabase(t *testing.T) {
	dir := t.TempDir()
	s, _ := run(t, dir, Options{})
	for _, section := range []presence.Section{"a", "b"} { // each has a commit, which checks the files
		if _, err := s.Update(t.Context(), "p", alice, presence.Update{Session: "s", Section: section}); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	shared := unix.Flock_t{Type: unix.F_WRLCK, Start: 1<<30 + 2, Len: 510} // https://sqlite.org/src/file/src/os.h
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &shared); err != nil || shared.Type != unix.F_RDLCK {
		t.Errorf("the lock on the database has type %d, %v; want a shared one", shared.Type, err)
	}
}
