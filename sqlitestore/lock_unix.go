//go:build unix

package sqlitestore

import (
	"os"
	"syscall"
)

// tryLock locks a file for this process, or returns an error if another one has locked it.
func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
