//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// stage writes what packages have besides the program, and returns its directory.
func stage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command("../../scripts/stage", os.Args[0], dir)
	c.Env = append(os.Environ(), runMain+"=1", "SOURCE_DATE_EPOCH=1700000000")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("scripts/stage: %v\n%s", err, text)
	}
	return dir
}

// buildPackage builds a package of a program with nfpm, as scripts/release-files does but uncompressed, and returns its
// path. The name of the program has no effect on the package.
func buildPackage(t *testing.T, format, version, program, stage string) string {
	t.Helper()
	program, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "nfpm.yaml")
	text := append(readFile(t, deploy+"packages/nfpm.yaml"), "deb: {compression: none}\n"...)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), version+"."+format)
	c := exec.Command("go", "tool", "-modfile=tools/nfpm/go.mod", "nfpm", "package", "--config", config, "--packager", format, "--target", path)
	c.Dir = "../.."
	// Without the flags of `make test`, for which Go would compile nfpm with the race detector.
	c.Env = append(os.Environ(), "GOFLAGS=", "ARCH="+runtime.GOARCH, "VERSION="+version, "PROGRAM="+program, "STAGE="+stage)
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("nfpm: %v\n%s", err, text)
	}
	return path
}

// machine is a directory into which dpkg installs as into the file system of another machine, with a list of packages of
// its own. On it systemd seems to run.
type machine struct {
	*testing.T
	root string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can install a package")
	}
	for _, tool := range []string{"dpkg", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing; the package is installed on Debian only", tool)
		}
	}
	root, err := os.MkdirTemp("", "machine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	m := machine{t, root}
	m.must(os.Chmod(root, 0o755)) // for the user of the service
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "run/systemd/system", "bin"} {
		m.must(os.MkdirAll(m.path(dir), 0o755))
	}
	m.must(os.WriteFile(m.path("var/lib/dpkg/status"), nil, 0o644))
	m.must(os.WriteFile(m.path("bin/systemctl"), []byte("#!/bin/sh\necho \"$*\" >>"+m.path("systemctl.log")+"\n"), 0o755))
	return m
}

func (m machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// path returns the path of a file of the machine, which may begin with a slash.
func (m machine) path(name string) string { return filepath.Join(m.root, name) }

func (m machine) has(name string) bool {
	_, err := os.Lstat(m.path(name))
	return !errors.Is(err, fs.ErrNotExist)
}

// dpkg runs dpkg on the machine, and returns the calls of systemctl by the scripts of the package.
func (m machine) dpkg(args ...string) (systemctl []string) {
	m.Helper()
	os.Remove(m.path("systemctl.log"))
	c := exec.Command("dpkg", append([]string{"--root=" + m.root, "--force-script-chrootless", "--log=/dev/null"}, args...)...)
	c.Env = append(os.Environ(), "PATH="+m.path("bin")+":/usr/local/sbin:/usr/sbin:/sbin:"+os.Getenv("PATH"))
	if text, err := c.CombinedOutput(); err != nil {
		m.Fatalf("dpkg %s: %v\n%s", args[0], err, text)
	}
	calls, _ := os.ReadFile(m.path("systemctl.log"))
	return strings.Split(strings.TrimSpace(string(calls)), "\n")
}

// The first of the users that systemd chooses from for DynamicUser=yes.
const dynamicUser = 61184

// start runs the service by its unit, as far as that goes without systemd: its command with the settings of its files, as
// a user without privileges and with the umask of the unit, in the state directory that systemd would make.
func (m machine) start() *server {
	m.Helper()
	unit := string(readFile(m.T, m.path("/usr/lib/systemd/system/writer-presence.service")))
	value := func(key string) string {
		found := regexp.MustCompile(`(?m)^` + key + `=-?(.*)$`).FindStringSubmatch(unit)
		if found == nil {
			m.Fatalf("the unit has no %s", key)
		}
		return found[1]
	}
	if state := m.path("var/lib/" + value("StateDirectory")); !m.has("var/lib/" + value("StateDirectory")) {
		private := m.path("var/lib/private/" + value("StateDirectory"))
		m.must(os.MkdirAll(private, 0o700))
		m.must(os.Chown(private, dynamicUser, dynamicUser))
		m.must(os.Symlink(private, state)) // systemd lets the service pass through private, which nobody else can
	}
	m.must(os.Chmod(m.path("var/lib/private"), 0o711))

	command := strings.Fields(value("ExecStart"))
	c := exec.Command("sh", append([]string{"-c", `umask "$0" &&
		exec setpriv --reuid=61184 --regid=61184 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"`,
		value("UMask"), m.path(command[0])}, command[1:]...)...)
	c.Env = []string{runMain + "=1", strings.ReplaceAll(value("Environment"), "%S", m.path("var/lib"))}
	for line := range strings.Lines(string(readFile(m.T, m.path(value("EnvironmentFile"))))) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			c.Env = append(c.Env, line)
		}
	}
	return startCommand(m.T, c)
}

// It installs a package, upgrades it while two people are connected, and removes it.
func TestDebianPackageKeepsPeopleOnlineThroughAnUpgrade(t *testing.T) { // case 33
	m := newMachine(t)
	staged := stage(t)
	first, second := buildPackage(t, "deb", "1.0.0", os.Args[0], staged), buildPackage(t, "deb", "1.1.0", os.Args[0], staged)

	m.dpkg("--install", first)
	unit := readFile(t, m.path("/usr/lib/systemd/system/writer-presence.service"))
	verifyUnits(t, map[string][]byte{"writer-presence.service": bytes.ReplaceAll(unit, []byte("/usr/bin/writer-presence"), []byte(m.path("/usr/bin/writer-presence")))})
	settings := m.path("/etc/writer-presence/environment")
	if info, err := os.Stat(settings); err != nil || info.Mode() != 0o600 {
		t.Errorf("%s: %v, mode %v; want 0600, because there may be a password in it", settings, err, info.Mode())
	}
	config := m.path("/etc/writer-presence/presence.toml") // which the user of the service must be able to read
	m.must(os.WriteFile(config, []byte("dev = true\n"), 0o644))
	changed := "WRITER_PRESENCE_CONFIG=" + config + "\nWRITER_PRESENCE_ADDR=127.0.0.1:0\n"
	m.must(os.WriteFile(settings, []byte(changed), 0o600))

	var connected sync.WaitGroup
	s := m.start()
	var clients []*restartClient
	for _, name := range []string{"Alice", "Bob"} {
		c := &restartClient{t: t, token: s.token(name), project: "p", name: name, connected: &connected}
		c.connect(s)
		clients = append(clients, c)
	}
	connected.Wait()

	want := []string{"daemon-reload", "try-restart writer-presence.service"}
	if got := m.dpkg("--install", second); !slices.Equal(got, want) {
		t.Errorf("the upgrade called systemctl with %q; want %q", got, want)
	}
	if got := string(readFile(t, settings)); got != changed {
		t.Fatalf("after the upgrade the settings are\n%s\nwant the changed ones:\n%s", got, changed)
	}
	s.cmd.Process.Signal(syscall.SIGTERM) // the restart
	s.wait()
	for _, c := range clients {
		<-c.closed
	}
	s = m.start()
	for _, c := range clients {
		c.connect(s) // reports an error if its first list lacks anybody
	}
	connected.Wait()
	if got, _ := s.list(clients[0].token); len(got.Users) != 2 {
		t.Errorf("after the upgrade the list has %v; want Alice and Bob", got.Users)
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.wait()

	enabled := "etc/systemd/system/multi-user.target.wants/writer-presence.service" // which the stand-in for systemctl leaves there
	m.must(os.MkdirAll(filepath.Dir(m.path(enabled)), 0o755))
	m.must(os.Symlink("/usr/lib/systemd/system/writer-presence.service", m.path(enabled)))
	if got := m.dpkg("--remove", "writer-presence"); got[0] != "disable --now --quiet writer-presence.socket writer-presence.service" {
		t.Errorf("the removal called systemctl with %q; it must stop the service first", got)
	}
	for name, want := range map[string]bool{
		"/usr/bin/writer-presence": false, "/usr/lib/systemd/system/writer-presence.service": false,
		enabled: false, "/etc/writer-presence/environment": true, "/var/lib/writer-presence/presence.db": true,
	} {
		if m.has(name) != want {
			t.Errorf("after the removal it is %v that %s exists; want %v", !want, name, want)
		}
	}
	m.dpkg("--purge", "writer-presence")
	for _, name := range []string{"/etc/writer-presence", "/var/lib/writer-presence", "/var/lib/private/writer-presence"} {
		if m.has(name) {
			t.Errorf("after the purge %s is still there", name)
		}
	}
}

func TestPackagesOfOtherSystemsAreBuilt(t *testing.T) {
	staged := stage(t)
	program := filepath.Join(staged, "program") // a small one is enough to see what is in the package
	if err := os.WriteFile(program, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if text := readFile(t, buildPackage(t, "rpm", "1.0.0", program, staged)); !strings.HasPrefix(string(text), "\xed\xab\xee\xdb") {
		t.Error("the .rpm does not begin as one")
	}

	f, err := os.Open(buildPackage(t, "apk", "1.0.0", program, staged))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(z); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	for _, want := range []string{"usr/bin/writer-presence", "usr/share/man/man1/writer-presence-serve.1.gz", "usr/share/zsh/site-functions/_writer-presence", "etc/writer-presence/environment"} {
		if !slices.Contains(names, want) {
			t.Errorf("the .apk lacks %s; it has %q", want, names)
		}
	}
}
