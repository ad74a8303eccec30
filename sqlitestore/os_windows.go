package sqlitestore

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks a file for this process, or returns an error at once if another process has it. The locked byte is far
// behind the content, because Windows also keeps other handles from reading what is locked.
func tryLock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
		&windows.Overlapped{OffsetHigh: 1})
}

// fsyncDir does nothing: Windows cannot sync a directory, and NTFS writes renames to its own journal.
func fsyncDir(string) error { return nil }

// identify returns information about a file by which [os.SameFile] recognises it, even after it was renamed. [os.Stat]
// would leave it to the first os.SameFile to look for the identity at the path.
func identify(path string) (fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}
