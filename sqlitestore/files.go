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
)

// openFile identifies a file that is in use.
type openFile struct {
	path string
	info fs.FileInfo // nil after the file is gone: a file that appears there is not the store's
	size int64       // the largest size seen
	// reader reads the header; nil before the first time. It stays open, because closing it would end the locks that SQLite
	// has on the file: on POSIX systems they belong to the process.
	reader *os.File
}

// recordFiles records the files that the open connection made or found, and the lock, for check.
// The database itself is recorded by makeFile, before anybody can replace it.
func (d *database) recordFiles() {
	for _, path := range []string{d.path + "-wal", d.path + "-shm"} {
		if info, err := identify(path); err == nil {
			d.recordFile(path, info)
		}
	}
	if info, err := d.lock.Stat(); err == nil {
		d.recordFile(filepath.Join(d.dir, lockFile), info)
	}
}

// recordFile records a file as in use, in place of the one that had its path before. Without a new one
// the old one stays recorded: reopen must know every file that was in use to recognise a
// stranger's file in its place.
func (d *database) recordFile(path string, info fs.FileInfo) {
	f := openFile{path: path, info: info, size: info.Size()}
	if i := slices.IndexFunc(d.files, func(old openFile) bool { return old.path == path }); i >= 0 {
		d.files[i].closeReader()
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
		now, err := identify(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.isLost = true
			return fmt.Errorf("%w: %s was removed while in use; it will be rewritten", errFileLost, f.path)
		case err != nil:
			return fmt.Errorf("cannot check the files of the journal: %w", err)
		case !os.SameFile(now, f.info):
			d.isLost = true
			return d.errReplaced(f.path)
		}
		whole, err := d.isWhole(f, now.Size())
		switch {
		case err != nil:
			return fmt.Errorf("cannot check the content of the journal: %w", err)
		case !whole:
			d.isLost, d.isCut = true, true
			return fmt.Errorf("%w: %s was cut short or overwritten while in use; it will be rewritten", errFileLost, f.path)
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
	if f.reader == nil {
		file, err := os.Open(f.path)
		if err != nil {
			return false, err
		}
		f.reader = file
	}
	header := make([]byte, 32) // enough for both formats: https://sqlite.org/fileformat2.html, 1.3 and 4.1
	if n, err := f.reader.ReadAt(header, 0); err != nil && err != io.EOF || n < len(header) {
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

func (f *openFile) closeReader() {
	if f.reader != nil {
		f.reader.Close()
		f.reader = nil
	}
}

func (d *database) errReplaced(path string) error {
	return fmt.Errorf("%w: %s was replaced while in use; move the new one away to have the journal rewritten with all sessions, or restart to use the new one", errFileLost, path)
}

// reopen replaces lost files by new ones and opens them. It returns an error rather than use a
// file that somebody else put in their place.
func (d *database) reopen(log *slog.Logger) error {
	lockPath := filepath.Join(d.dir, lockFile)
	for _, f := range d.files {
		if now, err := identify(f.path); err == nil && !os.SameFile(now, f.info) && f.path != lockPath {
			return d.errReplaced(f.path)
		}
	}
	if _, err := os.Stat(d.dir); err != nil {
		return fmt.Errorf("%w: the data directory %s was removed; make it again to have the journal rewritten", errFileLost, d.dir)
	}
	held, err := d.lock.Stat()
	if err != nil {
		return err
	}
	if now, err := identify(lockPath); err != nil || !os.SameFile(now, held) {
		lock, err := lockDir(d.dir)
		if err != nil {
			return fmt.Errorf("%w: %w", errFileLost, err)
		}
		d.lock.Close()
		d.lock, d.isSameBoot = lock, recordBoot(lock)
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
