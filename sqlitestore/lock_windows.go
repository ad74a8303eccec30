package sqlitestore

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks a file for this process, or returns an error if another one has locked it. It locks one byte far behind the
// content, because Windows keeps others from reading what is locked.
func tryLock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
		&windows.Overlapped{OffsetHigh: 1})
}
