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
	// maxToken bounds what is read of a token; the server takes no longer headers.
	maxToken = 16 << 10
	// maxLiveToken is about what fits into a live hello.
	maxLiveToken = 4000
	// mostProjects is how many projects of a token are printed.
	mostProjects = 20
	// checkTokenTime bounds fetching the keys.
	checkTokenTime = 10 * time.Second
)

// newCheckToken makes the subcommand that says whether serve with the same flags would accept a
// token. It never prints the token or a secret.
func newCheckToken() *cobra.Command {
	var g gates
	var file, project string
	c := &cobra.Command{
		Use:   "check-token",
		Short: "Say whether a token is valid, and why not",
		Long: `Say whether serve would accept a token (JWT), whose it is, until when, and for which
projects; or why it would be rejected, and what to do. Give the flags or the environment that
serve has. The exit status is 0 for a token that is valid, and good for --project if that is
given; else it is 1. The token is read from the standard input or --file, so that it is in no
list of processes, and is never printed.`,
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
			return g.checkToken(c.Context(), in, c.OutOrStdout(), project)
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "`file` with the token (default: the standard input)")
	f.StringVar(&project, "project", "", "`project` that the token has to be good for; with --tenant-from host as host/project")
	for _, name := range []string{"file", "project"} {
		f.SetAnnotation(name, onlyFlag, []string{"true"})
	}
	g.tokenFlags(f)
	f.SortFlags = false
	return c
}

// checkToken reads a token and prints what it says.
func (g *gates) checkToken(ctx context.Context, in io.Reader, out io.Writer, project string) error {
	if !g.tokens() {
		return errors.New("check-token needs --jwt-secret-file or --jwks-url, as serve has it; other tokens only your application can check")
	}
	request, err := parseKey(project)
	if err != nil {
		return err
	}
	tokens, err := g.openTokens(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxToken+1))
	if err != nil {
		return fmt.Errorf("the token cannot be read: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	switch {
	case len(text) > maxToken:
		return fmt.Errorf("the input has more than %d bytes, and headers that long are not accepted; give one token", maxToken)
	case token == "":
		return errors.New("there is no token in the input; send one by a pipe, or give --file")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTokenTime)
	defer cancel()
	info, err := tokens.Check(ctx, token)
	if reason, rejected := identity.ReasonOf(err); rejected {
		return fmt.Errorf("the token is rejected: %s: %s", reason, reason.Explain())
	}
	if err != nil {
		return g.noKeys(err)
	}
	printToken(out, info)
	if len(token) > maxLiveToken {
		fmt.Fprintf(out, "note: it has %d bytes; live connections take less than 4096 for the token and the rest of the hello, so pages will poll\n", len(token))
	}
	if project == "" {
		return nil
	}
	if !info.Opens(request) {
		return fmt.Errorf("the token is valid but does not name the project %q; add it to the projects, as text and in the same capitals", request.Key())
	}
	fmt.Fprintf(out, "project %q: yes\n", request.Key())
	return nil
}

// parseKey reads a project, with its tenant before a slash if there are tenants; "" is none.
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

// noKeys says that the keys cannot be fetched, without their address, which may hold a password.
func (g *gates) noKeys(err error) error {
	cause := "the answer is no set of keys"
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		cause = failed.Err.Error()
	}
	return fmt.Errorf("the keys cannot be fetched from %s, so that it is not known whether the token is valid: %s; open the address of --jwks-url from this machine", host(g.jwksURL), cause)
}

func printToken(out io.Writer, info identity.TokenInfo) {
	fmt.Fprintf(out, "the token is valid\nuser: %q, shown as %q\nexpires: %s, in %s\n", info.User.ID, info.User.Name,
		info.Expires.UTC().Format(time.RFC3339), time.Until(info.Expires).Round(time.Second))
	shown := info.Projects[:min(len(info.Projects), mostProjects)]
	fmt.Fprintf(out, "projects: %.200q", shown)
	if rest := len(info.Projects) - len(shown); rest > 0 {
		fmt.Fprintf(out, " and %d more", rest)
	}
	fmt.Fprintln(out)
}
