package main

import (
	"strings"
	"testing"
)

func TestServingLogLineDescribesAccessWithoutSecrets(t *testing.T) {
	a := newAccessFixture(t)
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
		{[]string{"--auth-url", hidden, "--visitors", "blog"}, []string{"visitors=blog", "the application at 127.0.0.1:", "anybody for whom the application answers 401 gets as a visitor into 1 project: blog"}, "every project"},
		{[]string{"--visitors", "off"}, []string{"visitors=off", "nobody: visitors are off", "level=WARN"}, "every project"},
		{[]string{"--visitors", "project:of"}, []string{"visitors=project:of ", "anybody who reaches this server gets as a visitor into 1 project: of; nobody gets into any other project"}, "anybody else"},
		{[]string{"--visitors", "blog,project:on"}, []string{"visitors=blog,project:on ", "into 2 projects: blog, on; nobody"}, "anybody else"},
		{[]string{"--jwt-secret-file", a.secret, "--visitors", "project:of"}, []string{"visitors=project:of ", "anybody else gets as a visitor into 1 project: of"}, "nobody"},
		{[]string{"--dev"}, []string{"visitors=on", "anybody on this machine under any name (--dev)", "dev=true"}, "nobody"},
		{[]string{"--prefix", "/a/b", "--lease", "3m", "--heartbeat", "20s"}, []string{"prefix=/a/b", "lease=3m0s", "heartbeat=20s", "version=\"" + release, "admin=none", "address=127.0.0.1:", "store=/"}, "token"},
	} {
		_, log := startInProcess(t, c.args...)
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
			t.Errorf("%q: %d lines have msg=serving; want 1", c.args, n)
		}
	}
}
