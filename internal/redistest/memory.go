package redistest

import (
	"os"
	"testing"
)

// MemoryDir returns an empty directory that is removed at the end of the test. It is in memory where the system has
// /dev/shm, because an fsync of a busy disk can take seconds.
func MemoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "writer-presence-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
