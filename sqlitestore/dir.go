package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// makeDir creates the data directory with mode 0700. It also takes access from others on a
// directory that exists, unless that holds files that are not part of the data.
func makeDir(dir string, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the data directory: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read the data directory: %w", err)
	}
	if slices.ContainsFunc(files, isForeign) {
		return nil // others may need access to their files; ours are 0600
	}
	return restrict(dir, 0o700, log)
}

// isForeign reports whether a file in the data directory is neither part of the data, such as
// the default secret file, nor the lost+found that mkfs creates on a new volume.
func isForeign(f os.DirEntry) bool {
	switch name := f.Name(); {
	case name == lockFile, name == "secret", name == "lost+found":
		return false
	default:
		return !strings.HasPrefix(name, fileName) && !strings.HasPrefix(name, ".secret-")
	}
}

// restrict removes the permissions from a file or directory that are not in mode. If another
// user owns it, as on a Kubernetes volume with fsGroup, it logs a warning instead.
func restrict(path string, mode fs.FileMode, log *slog.Logger) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&^mode == 0 {
		return nil
	}
	if err := os.Chmod(path, mode); err != nil {
		log.Warn("other users may have access to the journal, and this process cannot run chmod since it does not own the file; let its owner do that, or give the file to the user of this process",
			"file", path, "mode", octal(info.Mode()), "wanted", octal(mode), "error", err)
	}
	return nil
}

// octal formats permissions as chmod takes them, such as 0770.
func octal(mode fs.FileMode) string { return fmt.Sprintf("%04o", mode.Perm()) }

// lockFile is the name of the file that is locked while a process uses the directory.
const lockFile = "lock"

// lockDir locks the directory for this process. The kernel releases the lock when the process ends.
func lockDir(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write to the data directory: %w", err)
	}
	if err := tryLock(lock); err != nil {
		lock.Close()
		return nil, fmt.Errorf("the data directory %s is in use by another process: stop that one, or choose another directory with --data", dir)
	}
	return lock, nil
}

var errEmpty = errors.New("it is empty (0 bytes), as after a full disk or an incomplete copy")

// checkMissing returns an error if the database file, which is missing, must not be created.
func (d *database) checkMissing() error {
	if wal, err := os.Stat(d.path + "-wal"); err == nil && wal.Size() > 0 {
		return fmt.Errorf("it is missing, but %s-wal is there with changes that belong to it", fileName)
	}
	return nil
}

// makeFile creates the database file if it is missing. It builds the file under a temporary
// name, so that an empty or partial file under the final name always means damage.
func (d *database) makeFile(log *slog.Logger) error {
	info, err := identify(d.path)
	switch {
	case err == nil && info.Size() == 0:
		return errEmpty
	case err == nil:
		d.recordFile(d.path, info)
		return restrict(d.path, 0o600, log)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := d.checkMissing(); err != nil {
		return err
	}
	temporary := d.path + ".new"
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(temporary + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // SQLite gives its other files the mode of this one
	if err != nil {
		return err
	}
	f.Close()
	db, err := connect(temporary)
	if err != nil {
		return err
	}
	if err := errors.Join(migrate(db), db.Close()); err != nil {
		return err
	}
	if info, err = identify(temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, d.path); err != nil {
		return err
	}
	d.recordFile(d.path, info) // at once: if a later step fails, the next attempt must know the file as its own
	return syncDir(d.dir)
}

// syncDir is fsyncDir; a variable for tests.
var syncDir = fsyncDir
