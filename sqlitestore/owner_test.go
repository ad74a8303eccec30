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

// The user and group that TestAsAnotherUser runs as, and the variable that tells it where.
const (
	anotherUser, anotherGroup = 54321, 54322
	anotherDir                = "TEST_DATA_DIRECTORY"
)

// TestAsAnotherUser is run by the tests below in a process of its own.
func TestAsAnotherUser(t *testing.T) {
	dir := os.Getenv(anotherDir)
	if dir == "" {
		t.Skip("it runs in the process that another test starts")
	}
	s, err := Open(dir, Options{Log: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.db.close()
}

// startAs opens a store in a directory in a process of another user, and gives what it says.
func startAs(t *testing.T, binary, dir string) (said string, err error) {
	t.Helper()
	c := exec.Command(binary, "-test.run", "^TestAsAnotherUser$")
	c.Dir, c.Env = "/", append(os.Environ(), anotherDir+"="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: anotherUser, Gid: anotherGroup}}
	out, err := c.CombinedOutput()
	return string(out), err
}

// copyOfTest copies the program of this test to where every user can run it.
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

func TestAVolumeOfAnotherOwnerStartsAgainAndAgain(t *testing.T) { // case 55
	base, binary := copyOfTest(t)
	for name, prepare := range map[string]func(dir string){
		"with fsGroup and lost+found": func(dir string) {
			must(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700), os.Chown(dir, 0, anotherGroup), os.Chmod(dir, 0o775|os.ModeSetgid))
		},
		"with files of another owner": func(dir string) {
			s, err := Open(dir, Options{})
			must(t, err)
			s.db.close()
			for _, file := range []string{FileName, lockFile} {
				must(t, os.Chown(filepath.Join(dir, file), 0, anotherGroup), os.Chmod(filepath.Join(dir, file), 0o660))
			}
			must(t, os.Chown(dir, 0, anotherGroup), os.Chmod(dir, 0o775|os.ModeSetgid))
		},
		"that everybody may write to": func(dir string) { must(t, os.Chmod(dir, 0o777)) },
	} {
		dir := filepath.Join(base, strings.ReplaceAll(name, " ", "-"))
		must(t, os.Mkdir(dir, 0o755))
		prepare(dir)
		var said string
		for start := range 3 {
			var err error
			if said, err = startAs(t, binary, dir); err != nil {
				t.Fatalf("%s: start %d: %v\n%s", name, start+1, err, said)
			}
		}
		if !strings.Contains(said, "level=WARN") || !strings.Contains(said, dir) {
			t.Errorf("%s: the last start does not warn that the directory is open to others:\n%s", name, said)
		}
		if !strings.Contains(said, "mode=07") || !strings.Contains(said, "wanted=0700") {
			t.Errorf("%s: the warning does not show the modes in octal:\n%s", name, said)
		}
	}
}

func TestAVolumeThatIsClosedToOthersStartsWithoutAWarning(t *testing.T) { // case 55
	base, binary := copyOfTest(t)
	dir := filepath.Join(base, "data")
	must(t, os.Mkdir(dir, 0o700), os.Chown(dir, anotherUser, anotherGroup))
	for range 2 {
		if said, err := startAs(t, binary, dir); err != nil || strings.Contains(said, "level=WARN") {
			t.Errorf("the start says %v:\n%s", err, said)
		}
	}
}
