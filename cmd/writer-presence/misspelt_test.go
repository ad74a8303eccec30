package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestUnknownVariablesStopTheStart(t *testing.T) {
	for variable, near := range map[string]string{
		"WRITER_PRESENCE_AUTHURL":         "WRITER_PRESENCE_AUTH_URL",
		"WRITER_PRESENCE_VISITOR":         "WRITER_PRESENCE_VISITORS",
		"WRITER_PRESENCE_JWT_SECRETFILE":  "WRITER_PRESENCE_JWT_SECRET_FILE",
		"WRITER_PRESENCE_ADMIN_ADDRESS":   "WRITER_PRESENCE_ADMIN_ADDR",
		"WRITER_PRESENCE_auth_url":        "WRITER_PRESENCE_AUTH_URL",
		"writer_presence_visitors":        "WRITER_PRESENCE_VISITORS",
		"WRITERPRESENCE_VISITORS":         "WRITER_PRESENCE_VISITORS",
		"WRITER_PRESENSE_REDIS_URL":       "WRITER_PRESENCE_REDIS_URL",
		"WRITER_PRESENCE_PORT":            "WRITER_PRESENCE_",
		"WRITER_PRESENCE_":                "WRITER_PRESENCE_",
		"WRITER_PRESENCE_HELP":            "WRITER_PRESENCE_",
		"WRITER_PRESENCE_SOMETHING_QUITE": "WRITER_PRESENCE_",
	} {
		for _, command := range [][]string{{"serve", "--addr", "nowhere", "--data", t.TempDir()}, {"health"}} {
			_, err := tell(t, map[string]string{variable: "hunter2"}, command...)
			if err == nil || !strings.Contains(err.Error(), variable+" ") || !strings.Contains(err.Error(), near) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s with %s: %v; want an error that names %s, without the value", command[0], variable, err, near)
			}
		}
		for _, command := range [][]string{{"version"}, {"--version"}, {"--help"}, {"serve", "--help"}} {
			if _, err := tell(t, map[string]string{variable: "x"}, command...); err != nil {
				t.Errorf("%q with %s: %v; want no error", command, variable, err)
			}
		}
	}
}

// An empty setting that limits access must not open the server.
func TestEmptySettingsThatLimitAccessStopTheStart(t *testing.T) {
	for flag, variable := range map[string]string{
		"auth-url": "WRITER_PRESENCE_AUTH_URL", "jwt-secret-file": "WRITER_PRESENCE_JWT_SECRET_FILE", "jwks-url": "WRITER_PRESENCE_JWKS_URL",
		"tenant-from": "WRITER_PRESENCE_TENANT_FROM", "allowed-origins": "WRITER_PRESENCE_ALLOWED_ORIGINS",
	} {
		serve := []string{"serve", "--addr", "nowhere", "--data", t.TempDir()}
		if _, err := tell(t, nil, append(serve, "--"+flag+"=")...); err == nil || !strings.Contains(err.Error(), "--"+flag+" is empty") {
			t.Errorf("an empty --%s: %v; want an error that says so", flag, err)
		}
		if _, err := tell(t, map[string]string{variable: ""}, serve...); err == nil || !strings.Contains(err.Error(), variable+" is empty") {
			t.Errorf("an empty %s: %v; want an error that says so", variable, err)
		}
	}
	if _, err := tell(t, map[string]string{"WRITER_PRESENCE_VISITORS": "", "WRITER_PRESENCE_JWT_ISSUER": ""}, "serve", "--addr", "nowhere", "--data", t.TempDir()); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("other empty variables: %v; want the error about the address, which comes later", err)
	}
}

// A Service named writer-presence brings these to all containers beside it.
func TestVariablesOfKubernetesAndOfOthersAreIgnored(t *testing.T) {
	env := map[string]string{"WRITER_PRESENCE_ADDR": "nowhere", "WRITER": "x", "PRESENCE_DATA": "x", "PWD": "/", "WRITERS_HOME": "x"}
	maps.Copy(env, map[string]string{
		"WRITER_PRESENCE_SERVICE_HOST": "10.0.0.1", "WRITER_PRESENCE_SERVICE_PORT": "8080", "WRITER_PRESENCE_SERVICE_PORT_HTTP": "8080",
		"WRITER_PRESENCE_PORT": "tcp://10.0.0.1:8080", "WRITER_PRESENCE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
		"WRITER_PRESENCE_PORT_8080_TCP_PROTO": "tcp", "WRITER_PRESENCE_PORT_8080_TCP_PORT": "8080", "WRITER_PRESENCE_PORT_8080_TCP_ADDR": "10.0.0.1",
		"WRITER_PRESENCE_REDIS_SERVICE_HOST": "10.0.0.2", "WRITER_PRESENCE_REDIS_PORT": "tcp://10.0.0.2:6379",
	})
	if _, err := tell(t, env, "serve", "--data", t.TempDir()); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v; want the error about the address, which comes later", err)
	}
}

// The program itself reads its real environment, and the documents name real variables.
func TestTheProgramChecksItsOwnEnvironment(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "serve", "--addr", "127.0.0.1:0", "--data", t.TempDir())
	cmd.Env = append(os.Environ(), "WRITER_PRESENCE_TEST_MAIN=1", "WRITER_PRESENCE_AUTHURL=http://127.0.0.1/{project}")
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "WRITER_PRESENCE_AUTH_URL") {
		t.Errorf("the start: %v, %s; want an error that names WRITER_PRESENCE_AUTH_URL", err, said)
	}
}

var variableNames = regexp.MustCompile(`WRITER_PRESENCE_[A-Z_]*[A-Z]`)

func TestVariablesInFilesForOperatorsAreKnown(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("found no pages in docs: %v", err)
	}
	for _, file := range append(pages, "../../Dockerfile", deploy+"compose.yaml", deploy+"writer-presence.service", "../../README.md", "../../docs/README.md") {
		var environ []string
		for _, name := range variableNames.FindAllString(string(read(t, file)), -1) {
			if name != "WRITER_PRESENCE_NAMES" { // of a test
				environ = append(environ, name+"=x")
			}
		}
		if err := checkVariables(newCommand(nil, os.Stdout, os.Stderr), environ); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestValuesNearAKeywordStopTheStart(t *testing.T) {
	for _, c := range []struct{ flag, value, meant string }{
		{"visitors", "of", "off"}, {"visitors", "onn", "on"}, {"visitors", "OFF", "off"}, {"visitors", "On", "on"}, {"visitors", "fof", "off"},
		{"visitors", "no", "off"}, {"visitors", "false", "off"}, {"visitors", "none", "off"}, {"visitors", "true", "on"}, {"visitors", "off ", "off"},
		{"visitors", "1", "on"}, {"visitors", "everyone", "on"}, {"visitors", "0", "off"}, {"visitors", "nobody", "off"},
		{"visitors", "blog,of", "off"}, {"visitors", "on,blog", "on"},
		{"admin-addr", "of", "off"}, {"admin-addr", "OFF", "off"}, {"admin-addr", "none", "off"}, {"admin-addr", "ofd", "off"},
		{"dev", "ture", "true"}, {"dev", "on", "true"}, {"dev", "fals", "false"},
	} {
		for source, tried := range map[string]func() (string, error){
			"flag": func() (string, error) {
				return tell(t, nil, "serve", "--addr", "nowhere", "--data", t.TempDir(), "--"+c.flag+"="+c.value)
			},
			"variable": func() (string, error) {
				return tell(t, map[string]string{"WRITER_PRESENCE_" + strings.ToUpper(strings.ReplaceAll(c.flag, "-", "_")): c.value}, "serve", "--addr", "nowhere", "--data", t.TempDir())
			},
		} {
			if _, err := tried(); err == nil || !strings.Contains(err.Error(), "did you mean "+c.meant+"?") {
				t.Errorf("--%s=%q by a %s: %v; want: did you mean %s?", c.flag, c.value, source, err, c.meant)
			}
		}
	}
	if _, err := tell(t, nil, "health", "--admin-addr", "of"); err == nil || !strings.Contains(err.Error(), "did you mean off?") {
		t.Errorf("health --admin-addr of: %v; want: did you mean off?", err)
	}
	if _, err := tell(t, nil, "serve", "--visitor", "on"); err == nil || !strings.Contains(err.Error(), "did you mean --visitors?") {
		t.Errorf("--visitor: %v; want: did you mean --visitors?", err)
	}
}

// A project may be called anything, also what looks like a keyword.
func TestAnyProjectCanBeNamedForVisitors(t *testing.T) {
	for value, want := range map[string]string{
		"project:of": "of", "project:on": "on", "project:off": "off", "blog, project:onn": "blog,onn", "blog": "blog", "offline,online": "offline,online", "42": "42", "project:blog": "blog",
	} {
		r, err := parseVisitors(value, true, true)
		var only []presence.Project
		for name := range strings.SplitSeq(want, ",") {
			only = append(only, presence.Project(name))
		}
		if err != nil || r.every || !slices.Equal(r.only, only) || r.allowed()("of") != (want == "of") {
			t.Errorf("--visitors %q opens %q, %v; want %q", value, r, err, want)
		}
		if again, err := parseVisitors(r.String(), true, true); err != nil || !slices.Equal(again.only, only) {
			t.Errorf("--visitors %q, written as %q, opens %q, %v; want the same", value, r, again.only, err)
		}
	}
	for _, value := range []string{"", "a b", "project:", "project:a b", "blog,", "Project:of", "project:project:of"} {
		if r, err := parseVisitors(value, true, true); err == nil {
			t.Errorf("--visitors %q opens %q; want an error", value, r)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"off", "off", 0}, {"of", "off", 1}, {"fof", "off", 1}, {"onn", "on", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d; want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestTheStartSaysWhoMayComeInAndNoSecret(t *testing.T) {
	a := newAccessWorld(t)
	hidden := strings.Replace(a.host, "http://", "http://admin:hunter2@", 1) + "?key=hunter2"
	for _, c := range []struct {
		args []string
		want []string
		not  string
	}{
		{nil, []string{"visitors=on", "anybody who reaches this server gets into every project"}, "token"},
		{[]string{"--jwt-secret-file", a.secret}, []string{"visitors=off", "a token signed with the secret in " + a.secret, "nobody else: visitors are off unless"}, "every project"},
		{[]string{"--jwt-secret-file", a.secret, "--visitors", "on"}, []string{"visitors=on", "anybody else gets into every project as a visitor"}, "nobody"},
		{[]string{"--jwks-url", a.jwks}, []string{"visitors=off", "a token signed with a key from " + strings.TrimPrefix(a.jwks, "http://")}, "every project"},
		{[]string{"--auth-url", hidden, "--visitors", "blog"}, []string{"visitors=blog", "the application at 127.0.0.1:", "anybody whom the application answers 401 gets as a visitor into 1 project: blog"}, "every project"},
		{[]string{"--visitors", "off"}, []string{"visitors=off", "nobody: visitors are off", "level=WARN"}, "every project"},
		{[]string{"--visitors", "project:of"}, []string{"visitors=project:of ", "anybody who reaches this server gets as a visitor into 1 project: of; nobody gets into any other project"}, "anybody else"},
		{[]string{"--visitors", "blog,project:on"}, []string{"visitors=blog,project:on ", "into 2 projects: blog, on; nobody"}, "anybody else"},
		{[]string{"--jwt-secret-file", a.secret, "--visitors", "project:of"}, []string{"visitors=project:of ", "anybody else gets as a visitor into 1 project: of"}, "nobody"},
		{[]string{"--dev"}, []string{"visitors=on", "anybody on this machine under any name (--dev)", "dev=true"}, "nobody"},
		{[]string{"--prefix", "/a/b", "--lease", "3m", "--heartbeat", "20s"}, []string{"prefix=/a/b", "lease=3m0s", "heartbeat=20s", "version=\"" + release, "admin=none", "address=127.0.0.1:", "store=/"}, "token"},
	} {
		_, log := inProcess(t, c.args...)
		text := log.String()
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%q: the log has no %q:\n%s", c.args, want, text)
			}
		}
		if strings.Contains(text, c.not) || strings.Contains(text, "hunter2") || strings.Contains(text, "http://") || strings.Contains(text, string(a.secretText)) {
			t.Errorf("%q: the log has %q or a secret:\n%s", c.args, c.not, text)
		}
		if n := strings.Count(text, "msg=serving "); n != 1 {
			t.Errorf("%q: %d lines say that it serves; want 1", c.args, n)
		}
	}
	for url, want := range map[string]string{
		"redis://user:hunter2@redis.internal:6379/0?password=hunter2": "redis://redis.internal:6379/0", "rediss://:hunter2@h:1": "rediss://h:1",
	} {
		if got := fmt.Sprint((&settings{redisURL: url}).where()); got != want {
			t.Errorf("the store is told as %q; want %q", got, want)
		}
	}
}
