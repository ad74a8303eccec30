package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/writer-presence/writer-presence/internal/redistest"
)

func TestFlagsTakePrecedenceOverVariablesAndVariablesOverTheConfigFile(t *testing.T) {
	config := writeConfig(t, `
		prefix = "/from/file"
		lease = "4m"
		heartbeat = "40s"
		user-rate = 5
		connections = 500
		allowed-origins = ["https://a.example", "https://b.example"]
		jwt-issuer = ""`)
	printed, err := runToEnd(t, map[string]string{"WRITER_PRESENCE_CONFIG": config, "WRITER_PRESENCE_LEASE": "5m", "WRITER_PRESENCE_HEARTBEAT": "50s"},
		"check", "--heartbeat", "60s", "--data", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"heartbeat":       `"1m0s" # --heartbeat`,
		"lease":           `"5m0s" # WRITER_PRESENCE_LEASE`,
		"prefix":          `"/from/file" # ` + config,
		"user-rate":       `5 # ` + config,
		"connections":     `500 # ` + config,
		"allowed-origins": `["https://a.example", "https://b.example"] # ` + config,
		"jwt-issuer":      `"" # ` + config,
		"address-rate":    `500 # default`,
		// A default that depends on another flag is printed as it is.
		"address-connections": `125 # default`,
	} {
		line := regexp.MustCompile(`(?m)^` + key + ` = (.*?) +(#.*)$`).FindStringSubmatch(printed)
		if line == nil || line[1]+" "+line[2] != want {
			t.Errorf("check printed %q; want %s = %s", line, key, want)
		}
	}
}

// Other subcommands read the keys that they have, and skip those of serve alone.
func TestEverySubcommandReadsTheConfigFile(t *testing.T) {
	config := writeConfig(t, fmt.Sprintf("prefix = \"/x\"\njwt-secret-file = %q\ndata = %q", filepath.Join(t.TempDir(), "none"), t.TempDir()))
	for command, want := range map[string]string{"check-token": "--jwt-secret-file: cannot use", "health": "no server runs with the data directory"} {
		if _, err := runToEnd(t, nil, command, "--config", config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error with %q", command, err, want)
		}
	}
}

func TestCheckReportsWhatServeWouldFind(t *testing.T) {
	a := newAccessFixture(t)
	redis := redistest.Start(t, "--requirepass", "s3cret-word")
	gone := "http://s3cret-word:s3cret-word@127.0.0.1:1/{project}?key=s3cret-word"
	open := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(open, []byte("c2VjcmV0LXdvcmQ="), 0o644); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "presence.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	running := t.TempDir()
	startServer(t, "--dev", "--data", running).admin()
	for _, c := range []struct {
		args   string
		want   []string // parts of the output
		failed int
	}{
		{"--data %DATA% --jwt-secret-file " + a.secret + " --auth-url " + a.host, []string{
			"a token signed with the secret in ", "ok      tokens: " + a.secret, "does not know a caller without credentials", "ok      store: serve will create",
		}, 0},
		{"--data %DATA% --jwks-url " + a.jwks, []string{"ok      tokens: the keys at 127.0.0.1:"}, 0},
		{"--data %DATA% --jwks-url " + gone + " --auth-url " + gone, []string{"FAILED  tokens: the keys cannot be fetched", "FAILED  --auth-url: dial tcp", `"http://127.0.0.1:1/{project}?…"`}, 2},
		{"--data %DATA% --auth-url " + a.host + " --auth-url-projects http://127.0.0.1:1/", []string{"FAILED  --auth-url-projects: dial tcp"}, 1},
		{"--data %DATA% --addr nowhere --admin-addr unix:/no/such/dir/socket", []string{"FAILED  --addr: ", "FAILED  --admin-addr: "}, 2},
		{"--data " + running, []string{"is in use by process "}, 0},
		{"--data " + damaged, []string{"FAILED  store:", "it is empty (0 bytes)"}, 1},
		{"--data %DATA% --secret-file " + open, []string{"FAILED  signing key:", "chmod 600"}, 1},
		{"--secret-file " + a.key + " --redis-url redis://:s3cret-word@" + redis.Addr, []string{"ok      store: Redis at redis://" + redis.Addr}, 0},
		{"--secret-file " + a.key + " --redis-url redis://:wrong-s3cret-word@" + redis.Addr, []string{"FAILED  store: Redis at " + redis.Addr}, 1},
	} {
		data := filepath.Join(t.TempDir(), "data")
		printed, err := runToEnd(t, nil, append([]string{"check"}, strings.Fields(strings.ReplaceAll(c.args, "%DATA%", data))...)...)
		if strings.Count(printed, "FAILED") != c.failed || (err != nil) != (c.failed > 0) || strings.Contains(printed, "s3cret-word") {
			t.Errorf("check %s: %v; want %d failures and no password\n%s", c.args, err, c.failed, printed)
		}
		for _, want := range c.want {
			if !strings.Contains(printed, want) {
				t.Errorf("check %s printed\n%s\nwant %q in it", c.args, printed, want)
			}
		}
		if _, err := os.Stat(data); !os.IsNotExist(err) {
			t.Errorf("check %s made the data directory, %v", c.args, err)
		}
	}
	if printed, err := runToEnd(t, nil, "check", "--lease", "25h"); err == nil || !strings.Contains(printed, `lease = "25h0m0s"`) {
		t.Errorf("an invalid value: %v; want an error, and all values", err)
	}
}

func TestExampleOfTheConfigFileHasEveryFlagOfServe(t *testing.T) {
	example, err := runToEnd(t, map[string]string{"WRITER_PRESENCE_NO_SUCH": "x"}, "config", "--example")
	if err != nil {
		t.Fatal(err)
	}
	// Without the # before a key it must be a file whose values are the defaults.
	values, err := readConfig(writeConfig(t, regexp.MustCompile(`(?m)^# ([a-z-]+ = )`).ReplaceAllString(example, "$1")))
	if err != nil {
		t.Fatal(err)
	}
	var s settings
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.flags(flags)
	flags.VisitAll(func(f *pflag.Flag) {
		before := f.Value.String()
		if err := setFromConfig(flags, f, values[f.Name]); err != nil || f.Value.String() != before {
			t.Errorf("the example sets %s to %v; want its default %s, %v", f.Name, values[f.Name], before, err)
		}
		delete(values, f.Name)
	})
	if len(values) > 0 {
		t.Errorf("the example has keys that are no flags: %v", values)
	}
	for line := range bytes.Lines([]byte(example)) {
		if len(line) > 121 || !strings.HasPrefix(string(line), "#") && string(line) != "\n" {
			t.Errorf("the example has the line %q; want comments of at most 120 characters", line)
		}
	}
}
