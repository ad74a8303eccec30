//go:build unix

package sqlitestore

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The user and group of TestHelperProcessOpensStore, and the environment variable with its directory.
const (
	anotherUser, anotherGroup = 54321, 54322
	anotherDir                = "TEST_DATA_DIRECTORY"
)

// TestHelperProcessOpensStore runs in the process that startAs starts.
func TestHelperProcessOpensStore(t *testing.T) {
	dir := os.Getenv(anotherDir)
	if dir == "" {
		t.Skip("startAs runs it in another process")
	}
	s, err := Open(dir, Options{Log: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.db.close()
}

// startAs opens a store in a process of another user, and returns its output.
func startAs(t *testing.T, binary, dir string) (output string, err error) {
	t.Helper()
	c := exec.Command(binary, "-test.run", "^TestHelperProcessOpensStore$")
	c.Dir, c.Env = "/", append(os.Environ(), anotherDir+"="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: anotherUser, Gid: anotherGroup}}
	out, err := c.CombinedOutput()
	return string(out), err
}

// copyOfTest copies this test program to a directory where every user can run it.
func copyOfTest(t *testing.T) (dir, binary string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	dir, err := os.MkdirTemp("", "owner")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	binary = filepath.Join(dir, "test")
	f, err := os.OpenFile(binary, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, self); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, binary
}

func TestStoreStartsOnVolumeOfAnotherOwnerWithWarning(t *testing.T) { // case 55
	base, binary := copyOfTest(t)
	for name, prepare := range map[string]func(dir string){
		"with fsGroup and lost+found": func(dir string) {
			must(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700), os.Chown(dir, 0, anotherGroup), os.Chmod(dir, 0o775|os.ModeSetgid))
		},
		"with files of another owner": func(dir string) {
			s, err := Open(dir, Options{})
			must(t, err)
			s.db.close()
			for _, file := range []string{fileName, lockFile} {
				must(t, os.Chown(filepath.Join(dir, file), 0, anotherGroup), os.Chmod(filepath.Join(dir, file), 0o660))
			}
			must(t, os.Chown(dir, 0, anotherGroup), os.Chmod(dir, 0o775|os.ModeSetgid))
		},
		"that everybody may write to": func(dir string) { must(t, os.Chmod(dir, 0o777)) },
	} {
		dir := filepath.Join(base, strings.ReplaceAll(name, " ", "-"))
		must(t, os.Mkdir(dir, 0o755))
		prepare(dir)
		var output string
		for start := range 3 {
			var err error
			if output, err = startAs(t, binary, dir); err != nil {
				t.Fatalf("%s: start %d: %v\n%s", name, start+1, err, output)
			}
		}
		if !strings.Contains(output, "level=WARN") || !strings.Contains(output, dir) {
			t.Errorf("%s: want a warning about the directory in the last start's log:\n%s", name, output)
		}
		if !strings.Contains(output, "mode=07") || !strings.Contains(output, "wanted=0700") {
			t.Errorf("%s: want the modes in octal in the warning:\n%s", name, output)
		}
	}
}

func TestStoreStartsOnPrivateVolumeWithoutWarning(t *testing.T) { // case 55
	base, binary := copyOfTest(t)
	dir := filepath.Join(base, "data")
	must(t, os.Mkdir(dir, 0o700), os.Chown(dir, anotherUser, anotherGroup))
	for range 2 {
		if output, err := startAs(t, binary, dir); err != nil || strings.Contains(output, "level=WARN") {
			t.Errorf("Open: got %v, want nil and no warning:\n%s", err, output)
		}
	}
}
