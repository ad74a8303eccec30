package sqlitestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
		log.Warn("other users may have access to the journal, and this process cannot change that: it does not own the file; let its owner run chmod, or give it to the user that runs this process",
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
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("the data directory %s is in use by another process: stop that one, or choose another directory with --data", dir)
	}
	return lock, nil
}

// makeFile creates the database file if it is missing. It builds the file under a temporary
// name, so that an empty or partial file under the final name always means damage.
func (d *database) makeFile(log *slog.Logger) error {
	info, err := os.Stat(d.path)
	switch {
	case err == nil && info.Size() == 0:
		return errors.New("it is empty (0 bytes), and this program never leaves it so: a full disk or a copy that was cut took its content")
	case err == nil:
		d.note(d.path, info)
		return restrict(d.path, 0o600, log)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if wal, err := os.Stat(d.path + "-wal"); err == nil && wal.Size() > 0 {
		return fmt.Errorf("it is missing, but %s-wal is there with changes that belong to it", fileName)
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
	if info, err = os.Stat(temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, d.path); err != nil {
		return err
	}
	d.note(d.path, info) // at once: if a later step fails, the next attempt must know the file as its own
	return syncDir(d.dir)
}

// syncDir makes a rename in the directory survive a power failure. A variable for tests.
var syncDir = func(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some network file systems cannot sync a directory
		return fmt.Errorf("cannot sync the data directory: %w", err)
	}
	return nil
}

// openFile identifies a file that is in use.
type openFile struct {
	path string
	info fs.FileInfo // nil after the file is gone: a file that appears there is not the store's
	size int64       // the largest size seen
}

// noteFiles records the files that the open connection made or found, and the lock, for check.
// The database itself is recorded by makeFile, before anybody can replace it.
func (d *database) noteFiles() {
	for _, path := range []string{d.path + "-wal", d.path + "-shm"} {
		if info, err := os.Stat(path); err == nil {
			d.note(path, info)
		}
	}
	if info, err := d.lock.Stat(); err == nil {
		d.note(filepath.Join(d.dir, lockFile), info)
	}
}

// note records a file as in use, in place of the one that had its path before. Without a new one
// the old one stays recorded: reopen must know every file that was in use to recognise a
// stranger's file in its place.
func (d *database) note(path string, info fs.FileInfo) {
	f := openFile{path, info, info.Size()}
	if i := slices.IndexFunc(d.files, func(old openFile) bool { return old.path == path }); i >= 0 {
		d.files[i] = f
	} else {
		d.files = append(d.files, f)
	}
}

// check returns an error if a file in use was removed, replaced or cut: SQLite does not notice,
// and what it writes is lost. After an error that wraps errFileLost, call reopen and write all records.
func (d *database) check() error {
	for i := range d.files {
		f := &d.files[i]
		now, err := os.Stat(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.isLost = true
			return fmt.Errorf("%w: %s was removed while this process uses it; it will be written anew", errFileLost, f.path)
		case err != nil:
			return fmt.Errorf("cannot check whether the journal is in its place: %w", err)
		case !os.SameFile(now, f.info):
			d.isLost = true
			return d.errReplaced(f.path)
		}
		whole, err := d.isWhole(f, now.Size())
		switch {
		case err != nil:
			return fmt.Errorf("cannot check whether the journal is whole: %w", err)
		case !whole:
			d.isLost, d.isCut = true, true
			return fmt.Errorf("%w: %s was cut short or overwritten while this process uses it; it will be written anew", errFileLost, f.path)
		}
	}
	return nil
}

// isWhole reports whether a file still looks like what SQLite wrote: the database has its header
// and as many pages as that says, the -wal has its header and has not shrunk. No write may be running.
func (d *database) isWhole(f *openFile, size int64) (bool, error) {
	if f.path != d.path && f.path != d.path+"-wal" {
		return true, nil
	}
	before := f.size
	f.size = max(f.size, size)
	if f.path == d.path+"-wal" && (size == 0 || size < before) {
		return size == before, nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	header := make([]byte, 32) // enough for both formats: https://sqlite.org/fileformat2.html, 1.3 and 4.1
	if n, err := file.ReadAt(header, 0); err != nil && err != io.EOF || n < len(header) {
		return false, nil
	}
	if f.path != d.path {
		return binary.BigEndian.Uint32(header)|1 == 0x377f0683, nil
	}
	page := int64(binary.BigEndian.Uint16(header[16:]))
	if page == 1 {
		page = 1 << 16
	}
	return string(header[:16]) == "SQLite format 3\x00" && size >= page*int64(binary.BigEndian.Uint32(header[28:])), nil
}

func (d *database) errReplaced(path string) error {
	return fmt.Errorf("%w: %s was replaced by another file while this process uses the old one; move the new one away, and the journal is written anew with all who are online, or restart to go on with the new one", errFileLost, path)
}

// reopen replaces lost files by new ones and opens them. It returns an error rather than use a
// file that somebody else put in their place.
func (d *database) reopen(log *slog.Logger) error {
	lockPath := filepath.Join(d.dir, lockFile)
	for _, f := range d.files {
		if now, err := os.Stat(f.path); err == nil && !os.SameFile(now, f.info) && f.path != lockPath {
			return d.errReplaced(f.path)
		}
	}
	if _, err := os.Stat(d.dir); err != nil {
		return fmt.Errorf("%w: the data directory %s is not there any more; make it again, and the journal is written anew", errFileLost, d.dir)
	}
	held, err := d.lock.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Stat(lockPath); err != nil || !os.SameFile(now, held) {
		lock, err := lockDir(d.dir)
		if err != nil {
			return fmt.Errorf("%w: %w", errFileLost, err)
		}
		d.lock.Close()
		d.lock, d.isSameBoot = lock, noteBoot(lock)
	}
	if d.isCut { // memory has everything that was in it
		os.Remove(d.path)
		d.isCut = false
	}
	d.closeSQL()
	if _, err := os.Stat(d.path); errors.Is(err, fs.ErrNotExist) { // these belong to the removed file
		os.Remove(d.path + "-wal")
		os.Remove(d.path + "-shm")
	}
	// From here on the inode numbers of missing files can be used again: a file that appears in
	// their place could pass for them.
	for i := range d.files {
		if _, err := os.Stat(d.files[i].path); errors.Is(err, fs.ErrNotExist) {
			d.files[i].info = nil
		}
	}
	return d.open(log)
}
