package sqlitestore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func TestDirectoryIsSyncedAfterTheDatabaseIsRenamed(t *testing.T) {
	dir, sync := t.TempDir(), syncDir
	t.Cleanup(func() { syncDir = sync })
	var synced int
	syncDir = func(path string) error {
		synced++
		if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil || path != dir {
			t.Errorf("the sync of %s came before the rename: %v", path, err)
		}
		return sync(path)
	}
	for start := range 2 {
		_, stop := run(t, dir, Options{})
		stop()
		if synced != 1 {
			t.Errorf("start %d: got %d directory syncs, want 1, when the file is new", start+1, synced)
		}
	}
}

func TestFailedDirectorySyncStopsTheStart(t *testing.T) {
	sync := syncDir
	t.Cleanup(func() { syncDir = sync })
	syncDir = func(string) error { return errors.New("input/output error") }
	if _, err := Open(t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("Open: got %v, want the error of the sync", err)
	}
}

func TestFilesAreReadableOnlyByTheirOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	s, _ := run(t, dir, Options{})
	update(t, s, alice, presence.Update{})
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the directory: got %v, %v, want 0700", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 3 {
		t.Fatalf("got %d files, %v, want at least the journal, its -wal and the lock", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: got %v, %v, want 0600", f.Name(), info.Mode(), err)
		}
	}
}

func TestDirectoryModeIsTheSameAfterEveryStart(t *testing.T) {
	for _, c := range []struct {
		file string
		want os.FileMode
	}{
		{"", 0o700},
		{"lost+found", 0o700},
		{"secret", 0o700},
		{"theirs", 0o755},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if err := os.Mkdir(filepath.Join(dir, c.file), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for start := range 2 {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			_, stop := run(t, dir, Options{})
			stop()
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != c.want {
				t.Errorf("with %q, start %d: got mode %v, %v, want %v", c.file, start+1, info.Mode(), err, c.want)
			}
		}
	}
}
