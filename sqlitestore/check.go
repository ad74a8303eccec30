package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Check reports whether [Open] could use a directory, without changing, creating or locking anything in it. It returns an
// error if the path is not a directory, or the database in it is damaged or of a newer version. A directory or a database
// that does not exist is no error, because Open creates it.
//
// Call it only while no store uses the directory: a commit in the meantime can look like damage. It does not read the
// changes that a killed process left in the -wal file.
func Check(dir string) error {
	d := &database{dir: dir, path: filepath.Join(dir, fileName)}
	if _, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the data directory: %w", err)
	}
	if err := d.examine(); err != nil {
		return d.errUnusable(err)
	}
	return nil
}

// examine opens the file in the one mode of SQLite that creates no file beside it (immutable).
func (d *database) examine() (err error) {
	switch info, err := os.Stat(d.path); {
	case errors.Is(err, fs.ErrNotExist):
		return d.checkMissing()
	case err != nil:
		return err
	case info.Size() == 0:
		return errEmpty
	}
	if d.sql, err = connectWith(d.path, "mode=ro&immutable=1"); err != nil {
		return err
	}
	defer d.closeSQL()
	if err := d.quickCheck(); err != nil {
		return err
	}
	_, err = migrator(d.sql)
	return err
}
