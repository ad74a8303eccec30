package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// newToken returns the subcommand that signs a token, which check-token with the same flags accepts.
func newToken() *cobra.Command {
	var a authFlags
	var content identity.TokenInfo
	var id, name, picture string
	var agent bool
	var life time.Duration
	c := &cobra.Command{
		Use:   "token",
		Short: "Sign a token, to try the server out",
		Long: `Print a token (JWT) that serve with the same flags or environment accepts, signed with the first
secret of --jwt-secret-file, to try the server out before your application signs tokens. Whoever
has the token is that user until it expires.`,
		Example: "  writer-presence token --jwt-secret-file /etc/writer-presence/jwt --user 7 --name Alice --project thesis",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			content.User = presence.User{ID: presence.UserID(id), Name: name, AvatarURL: picture, Agent: agent}
			content.Expires = time.Now().Add(life)
			token, err := a.signToken(c, content)
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), token)
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&id, "user", "", "`id` of the user")
	f.StringVar(&name, "name", "", "`name` of the user (default: the id)")
	f.StringSliceVar(&content.Projects, "project", nil, "`projects` that the token opens, separated by commas; * for all; with --tenant-from host as host/project")
	f.DurationVar(&life, "for", time.Hour, "how long the token is valid")
	f.StringVar(&picture, "picture", "", "https `address` of a picture of the user")
	f.BoolVar(&agent, "agent", false, "the user is software that acts by itself")
	annotate(f, onlyFlag, "user", "name", "project", "for", "picture", "agent")
	a.tokenFlags(f)
	f.SortFlags = false
	return c
}

// signToken signs a token and checks it as serve would.
func (a *authFlags) signToken(c *cobra.Command, content identity.TokenInfo) (string, error) {
	switch {
	case a.jwtSecretFile == "" && a.jwksURL != "":
		return "", errors.New("token needs --jwt-secret-file; with --jwks-url only the issuer of the tokens has the keys to sign them")
	case a.jwtSecretFile == "":
		return "", errors.New("token needs --jwt-secret-file, as serve has it; make a secret with: openssl rand -base64 32")
	case content.User.ID == "" || len(content.Projects) == 0:
		return "", errors.New("--user and --project are needed: give the id of a user, and the projects that the token opens")
	}
	for _, project := range content.Projects {
		if project == "*" && len(content.Projects) > 1 {
			return "", errors.New("--project: give * alone, since it opens every project")
		}
		if _, err := parseKey(project); err != nil && project != "*" && !strings.HasSuffix(project, "/*") {
			return "", err
		}
	}
	tokens, err := a.tokenAuthenticator(slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	token, err := tokens.Sign(content)
	if err != nil {
		return "", err
	}
	if _, err := tokens.Check(c.Context(), token); err != nil {
		return "", explainRejection(err)
	}
	return token, nil
}
