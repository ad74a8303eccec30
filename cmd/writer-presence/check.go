package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// checkTimeout bounds each of the checks.
const checkTimeout = 10 * time.Second

// newCheck returns the subcommand that reports what serve would do with the same settings.
func newCheck(env func(string) (string, bool)) *cobra.Command {
	s := settings{env: env}
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration that serve would have",
		Long: `Check the configuration that serve would have with the same flags, environment and file of
--config. It prints every value and where it comes from, without passwords; who may enter; and
whether the keys can be read, the store can be opened, and --auth-url, --auth-url-projects and
--jwks-url answer. It asks each of them once. The exit status is 0 if serve can start, and otherwise 1.

It creates and changes no file, and leaves a data directory alone that a server uses. In Redis
it does what each node does at its start, which no running node notices. Run it as the user of
the server, since other users may read other files.`,
		Example: "  writer-presence check --config /etc/writer-presence/presence.toml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			return s.check(c.Context(), c.OutOrStdout(), log)
		},
	}
	s.flags(c.Flags())
	c.Flags().SortFlags = false
	return c
}

// check prints the settings and the result of each check. It returns an error if serve could not start.
func (s *settings) check(ctx context.Context, out io.Writer, log *slog.Logger) error {
	err := s.validate()
	printSettings(out, s.set)
	if err != nil {
		return err
	}
	failed := 0
	for _, c := range []struct {
		name string
		run  func(context.Context, *slog.Logger) (found string, err error)
	}{
		{"access", func(context.Context, *slog.Logger) (string, error) { return s.accessSummary(), nil }},
		{"--addr", checkAddr(s.addr)},
		{"--admin-addr", checkAddr(s.adminAddr)},
		{"signing key", s.checkSigningKey},
		{"tokens", s.checkTokens},
		{"--auth-url", s.checkHost},
		{"--auth-url-projects", s.checkHostProjects},
		{"host API", s.checkAPIKey},
		{"webhooks", s.checkWebhook},
		{"store", s.checkStore},
	} {
		found, err := func() (string, error) {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			return c.run(ctx, log)
		}()
		switch {
		case err != nil:
			failed++
			fmt.Fprintf(out, "FAILED  %s: %v\n", c.name, err)
		case found != "":
			fmt.Fprintf(out, "ok      %s: %s\n", c.name, found)
		}
	}
	switch failed {
	case 0:
		return nil
	case 1:
		return errors.New("one check failed")
	default:
		return fmt.Errorf("%d checks failed", failed)
	}
}

// printSettings prints the values of all flags in TOML, and where each comes from in a comment.
func printSettings(out io.Writer, flags *pflag.FlagSet) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	flags.VisitAll(func(f *pflag.Flag) {
		if hasKey(f) {
			fmt.Fprintf(table, "%s = %s\t# %s\n", f.Name, withoutSecret(f), sourceOf(f))
		}
	})
	table.Flush()
	fmt.Fprintln(out)
}

// sourceOf returns where the value of a flag comes from.
func sourceOf(f *pflag.Flag) string {
	switch source := f.Annotations[sourceOfValue]; {
	case source != nil:
		return source[0]
	case f.Changed:
		return "--" + f.Name
	default:
		return "default"
	}
}

// withoutSecret returns the value of a flag in TOML without what may be secret in an address: user, password and query,
// and the path of --webhook-url.
func withoutSecret(f *pflag.Flag) string {
	value := tomlValue(f)
	address := strings.Trim(value, `"`)
	if !strings.Contains(address, "://") || strings.HasPrefix(value, "[") {
		return value
	}
	u, err := url.Parse(address)
	if err != nil {
		return `"…"`
	}
	path, query := u.Path, ""
	if f.Name == "webhook-url" {
		path = "/…"
	}
	if u.RawQuery != "" {
		query = "?…"
	}
	return fmt.Sprintf("%q", u.Scheme+"://"+u.Host+path+query)
}

// checkAddr returns a check of an address to listen on. It does not listen, since a running server may.
func checkAddr(addr string) func(context.Context, *slog.Logger) (string, error) {
	return func(ctx context.Context, _ *slog.Logger) (string, error) {
		if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
			_, err := os.Stat(filepath.Dir(path))
			return "", err
		}
		host, port, err := net.SplitHostPort(addr)
		if addr == "" || addr == "off" { // of --admin-addr
			return "", nil
		}
		if err == nil {
			_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
		}
		if err == nil && host != "" {
			_, err = net.DefaultResolver.LookupHost(ctx, host)
		}
		return "", err
	}
}

func (s *settings) checkSigningKey(_ context.Context, log *slog.Logger) (string, error) {
	if !s.signs() {
		return "", nil
	}
	if _, err := os.Stat(s.secretFile); errors.Is(err, fs.ErrNotExist) { // which ReadKeys would create
		if dir := filepath.Dir(s.secretFile); dir != s.data {
			if _, err := os.Stat(dir); err != nil {
				return "", fmt.Errorf("serve would create %s, but its directory cannot be used: %w", s.secretFile, err)
			}
		}
		return "serve will create " + s.secretFile, nil
	}
	keys, err := identity.ReadKeys(s.secretFile)
	if err != nil {
		return "", err
	}
	if warning := keys.Warning(); warning != "" {
		log.Warn(warning)
	}
	return s.secretFile + " can be used", nil
}

// checkTokens reads the secret of tokens, or fetches the keys.
func (s *settings) checkTokens(ctx context.Context, log *slog.Logger) (string, error) {
	if !s.auth.tokens() {
		return "", nil
	}
	tokens, err := s.auth.tokenAuthenticator(log)
	if err != nil {
		return "", err
	}
	if s.auth.jwksURL == "" {
		return s.auth.jwtSecretFile + " can be used", nil
	}
	// A token with an unknown key is rejected only after the keys have been fetched.
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"RS256","kid":"writer-presence check"}`)) + "." + encode([]byte(`{}`)) + ".eA"
	if _, err := tokens.Check(ctx, token); errors.Is(err, presence.ErrUnavailable) {
		return "", s.auth.explainKeysError(err)
	}
	return "the keys at " + hostOf(s.auth.jwksURL) + " can be fetched", nil
}

// checkProject is the project that check asks the application about.
const checkProject = "writer-presence-check"

// checkHost asks the application about a caller without credentials.
func (s *settings) checkHost(ctx context.Context, _ *slog.Logger) (string, error) {
	return s.askHost(s.auth.authURL, func(host *identity.Host, r identity.Request) (identity.Principal, error) {
		return host.Authenticate(ctx, r)
	})
}

// checkHostProjects asks the same at the address for several projects.
func (s *settings) checkHostProjects(ctx context.Context, _ *slog.Logger) (string, error) {
	return s.askHost(s.auth.authURLProjects, func(host *identity.Host, r identity.Request) (identity.Principal, error) {
		d := host.AuthenticateMany(ctx, r, []presence.Project{r.Project})[0]
		return d.Principal, d.Err
	})
}

// askHost asks the application at an address, and returns what it answers; nothing without an address.
func (s *settings) askHost(address string, ask func(*identity.Host, identity.Request) (identity.Principal, error)) (string, error) {
	if address == "" {
		return "", nil
	}
	host, err := s.auth.hostAuthenticator(nil)
	if err != nil {
		return "", err
	}
	principal, err := ask(host, identity.Request{Project: checkProject, Header: http.Header{}})
	at := "the application at " + hostOf(address)
	switch {
	case errors.Is(err, identity.ErrNobody):
		return at + " does not know a caller without credentials (401)", nil
	case errors.Is(err, identity.ErrProjectUnknown):
		return at + " does not open the project " + checkProject + " to a caller without credentials", nil
	case err != nil:
		// What ErrUnavailable says is for pages.
		return "", errors.New(strings.TrimPrefix(err.Error(), presence.ErrUnavailable.Error()+": "))
	default:
		return fmt.Sprintf("%s opens the project %s to a caller without credentials, as user %q", at, checkProject, principal.User.ID), nil
	}
}

func (s *settings) checkAPIKey(_ context.Context, log *slog.Logger) (string, error) {
	keys, err := s.apiKeys(log)
	if keys == nil || err != nil {
		return "", err
	}
	return s.apiKeyFile + " can be used", nil
}

// checkWebhook reads the secret. It sends nothing, since the receiver would take it for an event.
func (s *settings) checkWebhook(_ context.Context, log *slog.Logger) (string, error) {
	sender, err := s.webhook(log)
	if sender == nil || err != nil {
		return "", err
	}
	return s.webhookSecretFile + " can be used, and " + s.webhookHost() + " was not asked", nil
}

// checkStore opens a store in Redis. It only reads a data directory, and only if no server uses it.
func (s *settings) checkStore(ctx context.Context, log *slog.Logger) (string, error) {
	if s.redisURL != "" {
		store, err := s.openStore(ctx, log)
		if err != nil {
			return "", err
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		return "Redis at " + s.storeName() + " can be used", store.Run(ended) // which closes it
	}
	if running, ok := findServer(s.data); ok {
		return fmt.Sprintf("%s is in use by process %d, and was not opened", s.data, running.PID), nil
	}
	if _, err := os.Stat(s.data); errors.Is(err, fs.ErrNotExist) {
		return "serve will create " + s.data, nil
	}
	return s.data + " can be used", sqlitestore.Check(s.data)
}
