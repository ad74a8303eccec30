package sqlitestore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
			t.Errorf("start %d: the directory was synced %d times; want once, when the file is new", start+1, synced)
		}
	}
}

func TestFailedDirectorySyncStopsTheStart(t *testing.T) {
	sync := syncDir
	t.Cleanup(func() { syncDir = sync })
	syncDir = func(string) error { return errors.New("input/output error") }
	if _, err := Open(t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("the start says %v; want the error of the sync", err)
	}
}
