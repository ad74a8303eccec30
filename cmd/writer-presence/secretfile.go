package main

import (
	"fmt"
	"os"
	"runtime"
)

// sharedMode reports whether every user of this machine can read or change a file with a secret, and returns its mode
// for the log. Windows has no such modes.
func sharedMode(path string) (mode string, shared bool) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return "", false
	}
	return fmt.Sprintf("%04o", info.Mode().Perm()), info.Mode()&0o007 != 0
}
