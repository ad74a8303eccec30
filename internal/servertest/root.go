package servertest

import (
	"os"
	"path/filepath"
)

// root returns the directory of the repository: the nearest one above that has a go.mod.
func root() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	panic("the tests do not run inside the repository")
}
