package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
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
			_, err := runToEnd(t, map[string]string{variable: "hunter2"}, command...)
			if err == nil || !strings.Contains(err.Error(), variable+" ") || !strings.Contains(err.Error(), near) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s with %s: %v; want an error that names %s and not the value", command[0], variable, err, near)
			}
		}
		for _, command := range [][]string{{"version"}, {"--version"}, {"--help"}, {"serve", "--help"}} {
			if _, err := runToEnd(t, map[string]string{variable: "x"}, command...); err != nil {
				t.Errorf("%q with %s: %v; want no error", command, variable, err)
			}
		}
	}
}

// An empty setting would leave the server open to everybody.
func TestEmptySettingsForAccessStopTheStart(t *testing.T) {
	for flag, variable := range map[string]string{
		"auth-url": "WRITER_PRESENCE_AUTH_URL", "jwt-secret-file": "WRITER_PRESENCE_JWT_SECRET_FILE", "jwks-url": "WRITER_PRESENCE_JWKS_URL",
		"tenant-from": "WRITER_PRESENCE_TENANT_FROM", "allowed-origins": "WRITER_PRESENCE_ALLOWED_ORIGINS",
	} {
		serve := []string{"serve", "--addr", "nowhere", "--data", t.TempDir()}
		if _, err := runToEnd(t, nil, append(serve, "--"+flag+"=")...); err == nil || !strings.Contains(err.Error(), "--"+flag+" is empty") {
			t.Errorf("an empty --%s: %v; want an error that it is empty", flag, err)
		}
		if _, err := runToEnd(t, map[string]string{variable: ""}, serve...); err == nil || !strings.Contains(err.Error(), variable+" is empty") {
			t.Errorf("an empty %s: %v; want an error that it is empty", variable, err)
		}
	}
	if _, err := runToEnd(t, map[string]string{"WRITER_PRESENCE_VISITORS": "", "WRITER_PRESENCE_JWT_ISSUER": ""}, "serve", "--addr", "nowhere", "--data", t.TempDir()); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("other empty variables: %v; want the error about the address, which is checked later", err)
	}
}

// Kubernetes sets these in all containers of a namespace with a Service named writer-presence.
func TestVariablesOfKubernetesAndOtherProgramsAreIgnored(t *testing.T) {
	env := map[string]string{"WRITER_PRESENCE_ADDR": "nowhere", "WRITER": "x", "PRESENCE_DATA": "x", "PWD": "/", "WRITERS_HOME": "x"}
	maps.Copy(env, map[string]string{
		"WRITER_PRESENCE_SERVICE_HOST": "10.0.0.1", "WRITER_PRESENCE_SERVICE_PORT": "8080", "WRITER_PRESENCE_SERVICE_PORT_HTTP": "8080",
		"WRITER_PRESENCE_PORT": "tcp://10.0.0.1:8080", "WRITER_PRESENCE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
		"WRITER_PRESENCE_PORT_8080_TCP_PROTO": "tcp", "WRITER_PRESENCE_PORT_8080_TCP_PORT": "8080", "WRITER_PRESENCE_PORT_8080_TCP_ADDR": "10.0.0.1",
		"WRITER_PRESENCE_REDIS_SERVICE_HOST": "10.0.0.2", "WRITER_PRESENCE_REDIS_PORT": "tcp://10.0.0.2:6379",
	})
	if _, err := runToEnd(t, env, "serve", "--data", t.TempDir()); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v; want the error about the address, which is checked later", err)
	}
}

func TestProgramChecksItsRealEnvironment(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := program(ctx, "serve", "--addr", "127.0.0.1:0", "--data", t.TempDir())
	c.Env = append(c.Env, "WRITER_PRESENCE_AUTHURL=http://127.0.0.1/{project}")
	if text, err := c.CombinedOutput(); err == nil || !strings.Contains(string(text), "WRITER_PRESENCE_AUTH_URL") {
		t.Errorf("%v, %s; want an error that names WRITER_PRESENCE_AUTH_URL", err, text)
	}
}

var variableNames = regexp.MustCompile(`WRITER_PRESENCE_[A-Z_]*[A-Z]`)

func TestDocumentsAndDeploymentFilesNameKnownVariables(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("found no pages in docs: %v", err)
	}
	for _, file := range append(pages, "../../Dockerfile", deploy+"compose.yaml", deploy+"writer-presence.service", "../../README.md", "../../docs/README.md") {
		var environ []string
		for _, name := range variableNames.FindAllString(string(readFile(t, file)), -1) {
			if name != "WRITER_PRESENCE_NAMES" { // is read by a test of httpapi
				environ = append(environ, name+"=x")
			}
		}
		if err := checkVariables(newCommand(nil, os.Stdout, os.Stderr), environ); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
