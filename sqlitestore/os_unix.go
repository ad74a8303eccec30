//go:build unix

package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// tryLock locks a file for this process, or returns an error at once if another process has it.
func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// fsyncDir makes a rename in the directory survive a power failure.
func fsyncDir(dir string) error {
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

// identify returns information about a file by which [os.SameFile] recognises it, even after it was renamed. It does
// not open the file: closing it would end the locks that SQLite has on it.
func identify(path string) (fs.FileInfo, error) { return os.Stat(path) }
