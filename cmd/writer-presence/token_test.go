package main

import (
	"strings"
	"testing"
)

func TestCheckTokenAcceptsWhatTokenSigns(t *testing.T) {
	secret := "--jwt-secret-file=" + secretFile(t)
	for name, c := range map[string]struct {
		flags, args []string // of both subcommands, and of token alone
		want        []string // parts of the output of check-token
	}{
		"defaults":        {nil, []string{"--name", "Alice", "--project", "p,q"}, []string{`user: "7", shown as "Alice"`, `projects: ["p" "q"]`, "in 1h0m0s"}},
		"every project":   {nil, []string{"--project", "*", "--for", "5m"}, []string{`projects: ["*"]`, `user: "7"`, "in 5m0s"}},
		"a tenant":        {nil, []string{"--project", "a.example/*"}, []string{`projects: ["a.example/*"]`}},
		"an agent":        {nil, []string{"--project", "p", "--agent", "--picture", "https://a.example/x.png"}, []string{"agent: yes", "picture: https://a.example/x.png"}},
		"claims":          {[]string{"--jwt-issuer=i", "--jwt-audience=a", "--jwt-name-claim=user.name", "--jwt-projects-claim=https://x/p"}, []string{"--project", "p", "--name", "Bob"}, []string{`shown as "Bob"`, `projects: ["p"]`}},
		"the name in sub": {[]string{"--jwt-name-claim=sub"}, []string{"--project", "p", "--name", "Bob"}, []string{`user: "7", shown as "7"`}},
	} {
		flags := append(c.flags, secret)
		token, err := runToEnd(t, nil, append(append([]string{"token", "--user", "7"}, c.args...), flags...)...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		printed, err := runCheckToken(t, nil, token, flags...)
		printed = strings.NewReplacer("in 59m59s", "in 1h0m0s", "in 4m59s", "in 5m0s").Replace(printed) // tokens have whole seconds
		for _, want := range c.want {
			if err != nil || !strings.Contains(printed, want) {
				t.Errorf("%s: %v, %s; want %s in it", name, err, printed, want)
			}
		}
	}
	for args, want := range map[string]string{
		"--user 7":                                     "--user and --project are needed",
		"--project p":                                  "--user and --project are needed",
		"--user 7 --project a/b/c":                     "--project",
		"--user 7 --project *,p":                       "give * alone",
		"--user visitor-7 --project p":                 "bad_subject",
		"--user 7 --project p --for -5m":               "expired",
		"--user 7 --project p --jwks-url http://x":     "give one of them",
		"--user 7 --project p --jwt-secret-file /none": "--jwt-secret-file: cannot use",
	} {
		token, err := runToEnd(t, nil, append([]string{"token", secret}, strings.Fields(args)...)...)
		if err == nil || !strings.Contains(err.Error(), want) || token != "" {
			t.Errorf("token %s printed %q, %v; want an error with %q", args, token, err, want)
		}
	}
	for args, want := range map[string]string{"": "openssl rand", "--jwks-url=http://x": "only the issuer"} {
		if _, err := runToEnd(t, nil, append([]string{"token", "--user=7", "--project=p"}, strings.Fields(args)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("token without a secret, %s: %v; want an error with %q", args, err, want)
		}
	}
}
