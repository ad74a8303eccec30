package sqlitestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func TestCheckFindsWhatOpenWouldRejectAndChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		want  string // in the error; empty for none
	}{
		"a closed store": {func(string) error { return nil }, ""},
		"no file":        {os.Remove, ""},
		"no directory":   {func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, ""},
		"an empty file":  {func(path string) error { return os.Truncate(path, 0) }, "it is empty (0 bytes)"},
		"another file":   {func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("text ", 1000)), 0o600) }, "not a database"},
		"a bad page":     {spoilLastPage, "it is damaged: "},
		"a -wal without it": {func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path+"-wal", []byte("x"), 0o600))
		}, "presence.db-wal is there"},
		"a newer version": {addMigration, "newer writer-presence"},
		"a file in its place": {func(path string) error {
			dir := filepath.Dir(path)
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600))
		}, "cannot read the data directory"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		s, stop := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		stop()
		if err := c.spoil(filepath.Join(dir, fileName)); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadDir(dir)
		err := Check(dir)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Check: got %v, want %q", name, err, c.want)
		}
		if after, _ := os.ReadDir(dir); len(after) != len(before) {
			t.Errorf("%s: Check left %v in the directory, want %v", name, after, before)
		}
	}
}

// spoilLastPage overwrites the last page of a database.
func spoilLastPage(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data[:len(data)-4096], bytes.Repeat([]byte{0xff}, 4096)...), 0o600)
}

// addMigration records a migration that only a newer version has.
func addMigration(path string) error {
	db, err := connect(path)
	if err != nil {
		return err
	}
	_, err = db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	return errors.Join(err, db.Close())
}
