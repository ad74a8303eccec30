package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeConfig writes a file for --config and returns its path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "presence.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFaultsInTheConfigFileStopTheStart(t *testing.T) {
	for text, want := range map[string]string{
		`adr = "127.0.0.1:0"`:           `the key "adr" is unknown and would have no effect; the most similar one is addr`,
		`user_rate = 5`:                 `most similar one is user-rate`,
		`config = "other.toml"`:         `the key "config" is unknown and would have no effect: rename it`, // and none is similar
		"[limits]\nuser-rate = 5":       `table [limits]`,
		`dev = "true"`:                  `dev cannot be used: write true or false, without quotes`,
		`addr = 8080`:                   `addr cannot be used: write a text in quotes, such as "127.0.0.1:8080"`,
		`connections = 1.5`:             `connections cannot be used: write a whole number`,
		`user-rate = "5"`:               `user-rate cannot be used: write a number without quotes`,
		`lease = 120`:                   `lease cannot be used: write a time in quotes`,
		`lease = "soon"`:                `lease cannot be used: invalid argument "soon"`,
		`allowed-origins = [1]`:         `allowed-origins cannot be used: write a list of texts`,
		`allowed-origins = []`:          `allowed-origins is empty and would have no effect`,
		`auth-url = ""`:                 `auth-url is empty and would have no effect`,
		`allowed-origins = ["null"]`:    `--allowed-origins "null" matches no page`,
		`addr = 2026-01-01`:             `addr cannot be used`,
		`trusted-proxies = ["proxy"]`:   `--trusted-proxies "proxy": give networks`,
		`auth-url = "http://127.0.0.1"`: `--auth-url: "http://127.0.0.1" cannot be used as the address of the host: {project} is missing`,
		"addr = \"x\"\naddr = \"y\"":    `line 2, is not TOML`,
		`addr = 127.0.0.1:8080`:         `line 1, is not TOML`,
		"\xff":                          `is not TOML`,
		`visitors = "of"`:               `did you mean off`,
		"dev = true\naddr = \"[::]:0\"": `loopback only`,
	} {
		data := filepath.Join(t.TempDir(), "data")
		_, err := runToEnd(t, nil, "serve", "--config", writeConfig(t, text), "--data", data)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one line with %q", text, err, want)
		}
		if _, err := os.Stat(data); !os.IsNotExist(err) {
			t.Errorf("%s: the data directory was made, %v", text, err)
		}
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "missing.toml"), t.TempDir(), ""} {
		if _, err := runToEnd(t, map[string]string{"WRITER_PRESENCE_CONFIG": path}, "serve", "--addr", "nowhere"); err == nil || !strings.Contains(strings.ToLower(err.Error()), "config") {
			t.Errorf("with the file %q: %v; want an error about --config", path, err)
		}
	}
}
