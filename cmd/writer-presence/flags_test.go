package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInvalidValuesStopTheStart(t *testing.T) {
	notADir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notADir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		env  map[string]string
		want string // in the error
	}{
		{args: []string{"--lease", "soon"}, want: "lease"},
		{args: []string{"--embedding", "yes"}, want: "--embedding"},
		{args: []string{"--embedding", ""}, want: "--embedding"},
		{args: []string{"--lease", "-2m"}, want: "--lease"},
		{args: []string{"--redis-url", ""}, want: "--redis-url is empty"},
		{args: []string{"--drain-delay", "-1s"}, want: "--drain-delay"},
		{args: []string{"--lease", "24h1s"}, want: "is more than 24h"},
		{args: []string{"--heartbeat", "1m"}, want: "more than a third of --lease"},
		{args: []string{"--prefix", "writer"}, want: "--prefix"},
		{args: []string{"--prefix", "/{a}"}, want: "--prefix"},
		{args: []string{"--visitors", "a b"}, want: "--visitors"},
		{args: []string{"--prefix", "//x"}, want: "--prefix"},
		{args: []string{"--prefix", "/a/../b"}, want: "--prefix"},
		{args: []string{"--prefix", "/a\tb"}, want: "--prefix"},
		{args: []string{"--user-rate", "-1"}, want: "--user-rate"},
		{args: []string{"--user-rate", "NaN"}, want: "--user-rate"},
		{args: []string{"--user-connections", "-1"}, want: "--user-connections"},
		{args: []string{"--address-connections", "-1"}, want: "--address-connections"},
		{args: []string{"--projects-per-address", "-1"}, want: "--projects-per-address"},
		{args: []string{"--allowed-origins", "write.example.org"}, want: "--allowed-origins"},
		{args: []string{"--allowed-origins", "https://a.example,https://b.example/path"}, want: "--allowed-origins"},
		{args: []string{"--allowed-origins", "https://a.*.example"}, want: "--allowed-origins"},
		{args: []string{"--allowed-origins", "https://*.127.0.0.1"}, want: "--allowed-origins"},
		{args: []string{"--allowed-origins", "*"}, want: "--allowed-origins"},
		{args: []string{"--allowed-origins", "null"}, want: "--allowed-origins"},
		{args: []string{"--tenant-from", "path"}, want: "--tenant-from"},
		{args: []string{"--admin-addr", "nowhere", "--addr", "127.0.0.1:0"}, want: "--admin-addr"},
		{args: []string{"--auth-url-projects", "http://127.0.0.1:8000/"}, want: "--auth-url-projects needs --auth-url"},
		{args: []string{"--auth-url", "http://127.0.0.1:8000/{project}/", "--auth-url-projects", "http://127.0.0.1:8000/{project}/"}, want: "--auth-url-projects: "},
		{args: []string{"--connections", "0"}, want: "--connections"},
		{args: []string{"--dev", "--addr", "0.0.0.0:0"}, want: "loopback only"},
		{args: []string{"--dev", "--addr", ":0"}, want: "loopback only"},
		{args: []string{"--dev", "--addr", "example.org:0"}, want: "loopback only"},
		{args: []string{"--addr", ""}, want: "--addr"},
		{args: []string{"--addr", "127.0.0.1:99999"}, want: "--addr"},
		{args: []string{"--data", notADir}, want: "data directory"},
		{args: []string{"--secret-file", notADir}, want: "secret file"},
		{args: []string{"--no-such-flag"}, want: "--no-such-flag"},
		{args: []string{"surplus"}, want: "surplus"},
		{env: map[string]string{"WRITER_PRESENCE_LEASE": "soon"}, want: "WRITER_PRESENCE_LEASE"},
		{env: map[string]string{"WRITER_PRESENCE_DEV": "perhaps"}, want: "WRITER_PRESENCE_DEV"},
		{env: map[string]string{"WRITER_PRESENCE_DEV": "true", "WRITER_PRESENCE_ADDR": "[::]:0"}, want: "loopback only"},
	} {
		args := append([]string{"serve"}, c.args...)
		if len(c.args) == 0 || c.args[0] != "--data" {
			args = append(args, "--data", t.TempDir())
		}
		if _, err := runToEnd(t, c.env, args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %v: %v; want an error with %q", c.args, c.env, err, c.want)
		}
	}
}

// A mistake in a flag must be reported before anything is created on the disk.
func TestInvalidFlagsOfTheHandlerStopTheStartBeforeTheStoreIsOpened(t *testing.T) {
	for flag, value := range map[string]string{"--allowed-origins": "null", "--token-header": "X Token"} {
		data := filepath.Join(t.TempDir(), "data")
		if _, err := runToEnd(t, nil, "serve", "--addr", "127.0.0.1:0", "--data", data, flag, value); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s %q: %v; want an error with the flag", flag, value, err)
		}
		if _, err := os.Stat(data); !os.IsNotExist(err) {
			t.Errorf("%s %q: the data directory was created, %v", flag, value, err)
		}
	}
}

func TestCommandLineTakesPrecedenceOverEnvironment(t *testing.T) {
	env := map[string]string{"WRITER_PRESENCE_PREFIX": "not a path", "WRITER_PRESENCE_ADDR": "nowhere"}
	if _, err := runToEnd(t, env, "serve", "--data", t.TempDir(), "--prefix", "/p"); err == nil || strings.Contains(err.Error(), "--prefix") || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v; want an error about the address in the environment, and none about its prefix", err)
	}
}

func TestHelpListsEveryFlagWithItsVariable(t *testing.T) {
	help, err := runToEnd(t, nil, "serve", "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"addr", "data", "secret-file", "prefix", "visitors", "allowed-origins", "dev", "lease", "heartbeat", "user-rate", "address-rate", "visitor-rate", "projects-per-address", "connections", "user-connections", "address-connections", "admin-addr", "drain-delay", "tenant-from"} {
		if !strings.Contains(help, "--"+flag) || !strings.Contains(help, "WRITER_PRESENCE_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))) {
			t.Errorf("the help of serve lacks --%s or its variable:\n%s", flag, help)
		}
	}
	if !strings.Contains(help, "--redis-durability mode") {
		t.Errorf("the help of serve does not show the argument of --redis-durability as mode:\n%s", help)
	}
	for _, args := range [][]string{{"--help"}, {}, {"help"}} {
		if help, err := runToEnd(t, nil, args...); err != nil || !strings.Contains(help, "serve") || !strings.Contains(help, "version") {
			t.Errorf("%q: %v\n%s", args, err, help)
		}
	}
	if version, err := runToEnd(t, nil, "version"); err != nil || !strings.HasPrefix(version, "writer-presence ") {
		t.Errorf("version: %q, %v", version, err)
	}
}
