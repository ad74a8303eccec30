package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

const (
	// maxToken is the longest token that is read, in bytes; the server accepts no longer headers.
	maxToken = 16 << 10
	// maxLiveToken is the longest token that fits into a live hello, in bytes, roughly.
	maxLiveToken = 4000
	// maxShownProjects is the number of projects of a token that are printed.
	maxShownProjects = 20
	// checkTokenTimeout bounds the time to fetch the keys.
	checkTokenTimeout = 10 * time.Second
)

// newCheckToken returns the subcommand that reports whether serve with the same flags would accept a token. It never
// prints the token or a secret.
func newCheckToken() *cobra.Command {
	var a authFlags
	var file, project string
	c := &cobra.Command{
		Use:   "check-token",
		Short: "Check whether a token is valid, and explain why not",
		Long: `Check whether serve would accept a token (JWT), and print its user, its expiry and its
projects; or why it would be rejected, and what to do. Give the flags or the environment that
serve has. The exit status is 0 if the token is valid, and valid for --project if that is
given; otherwise it is 1. The token is read from standard input or --file, so that it does not
appear in the list of processes, and is never printed.`,
		Example: "  echo \"$TOKEN\" | writer-presence check-token --jwt-secret-file /etc/writer-presence/jwt --project thesis",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			in := c.InOrStdin()
			if file != "" {
				f, err := os.Open(file)
				if err != nil {
					return fmt.Errorf("--file: %w", err)
				}
				defer f.Close()
				in = f
			}
			return a.checkToken(c.Context(), in, c.OutOrStdout(), project)
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "`file` with the token (default: standard input)")
	f.StringVar(&project, "project", "", "`project` that the token must be valid for; with --tenant-from host as host/project")
	markOnlyFlags(f, "file", "project")
	markNeverEmpty(f, "file", "project")
	a.tokenFlags(f)
	f.SortFlags = false
	return c
}

// checkToken reads a token and prints its user, expiry and projects. It returns an error if the token is not valid, or not
// valid for the project.
func (a *authFlags) checkToken(ctx context.Context, in io.Reader, out io.Writer, project string) error {
	if !a.tokens() {
		return errors.New("check-token needs --jwt-secret-file or --jwks-url, as serve has it; only your application can check other tokens")
	}
	request, err := parseKey(project)
	if err != nil {
		return err
	}
	tokens, err := a.tokenAuthenticator(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxToken+1))
	if err != nil {
		return fmt.Errorf("cannot read the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	switch {
	case len(text) > maxToken:
		return fmt.Errorf("the input has more than %d bytes, which is too long for a header; give one token", maxToken)
	case token == "":
		return errors.New("there is no token in the input; send one through a pipe, or give --file")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTokenTimeout)
	defer cancel()
	info, err := tokens.Check(ctx, token)
	if _, rejected := identity.ReasonOf(err); rejected {
		return explainRejection(err)
	}
	if err != nil {
		return a.explainKeysError(err)
	}
	printToken(out, info)
	if len(token) > maxLiveToken {
		fmt.Fprintf(out, "note: it has %d bytes, but the token and the rest of the hello of a live connection must be shorter than 4096; pages will poll\n", len(token))
	}
	if project == "" {
		return nil
	}
	if !info.Opens(request) {
		return fmt.Errorf("the token is valid but does not name the project %q; add it to the projects, as a string and in the same capitals", request.Key())
	}
	fmt.Fprintf(out, "project %q: yes\n", request.Key())
	return nil
}

// explainRejection returns the error of a rejected token with its reason and what to do.
func explainRejection(err error) error {
	if reason, rejected := identity.ReasonOf(err); rejected {
		return fmt.Errorf("the token is rejected: %s: %s", reason, reason.Explain())
	}
	return err
}

// parseKey reads a value of --project: a project, or a tenant and a project with a slash between them. "" is no project.
func parseKey(text string) (r identity.Request, err error) {
	if text == "" {
		return r, nil
	}
	tenant, project, ok := strings.Cut(text, "/")
	if !ok {
		tenant, project = "", text
	}
	r.Tenant = tenant
	if r.Project, err = presence.ParseProject(project); err != nil || ok && tenant == "" {
		return r, fmt.Errorf("--project %q: give the id of a project, or host/project with --tenant-from host", text)
	}
	return r, nil
}

// explainKeysError returns the error of keys that cannot be fetched, without their address, which may have a password.
func (a *authFlags) explainKeysError(err error) error {
	cause := "the response is not a key set"
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		cause = failed.Err.Error()
	}
	return fmt.Errorf("the keys cannot be fetched from %s, so the token cannot be checked: %s; check that this machine can reach the address of --jwks-url", hostOf(a.jwksURL), cause)
}

func printToken(out io.Writer, info identity.TokenInfo) {
	fmt.Fprintf(out, "the token is valid\nuser: %q, shown as %q\nexpires: %s, in %s\n", info.User.ID, info.User.Name,
		info.Expires.UTC().Format(time.RFC3339), time.Until(info.Expires).Round(time.Second))
	if info.User.AvatarURL != "" {
		fmt.Fprintf(out, "picture: %s\n", info.User.AvatarURL)
	}
	if info.User.Agent {
		fmt.Fprintln(out, "agent: yes")
	}
	shown := info.Projects[:min(len(info.Projects), maxShownProjects)]
	fmt.Fprintf(out, "projects: %.200q", shown)
	if rest := len(info.Projects) - len(shown); rest > 0 {
		fmt.Fprintf(out, " and %d more", rest)
	}
	fmt.Fprintln(out)
}
