package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/writer-presence/writer-presence/identity"
)

// authFlags are the flags by which the host application identifies users: signed tokens, or a request to the application.
type authFlags struct {
	authURL, authURLProjects                       string
	jwtSecretFile, jwksURL, jwtIssuer, jwtAudience string
	jwtNameClaim, jwtProjectsClaim                 string
}

// flags declares the flags that enable authenticators.
func (a *authFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&a.authURL, "auth-url", "", "`address` that answers who sent a request and whether they may see the project, such as http://127.0.0.1:8000/presence/{project}/; it gets the request's Cookie, Authorization, Accept-Language and X-Request-ID, and X-Forwarded-Host, -Proto and -For")
	f.StringVar(&a.authURLProjects, "auth-url-projects", "", "`address` that answers as --auth-url does about several projects at once, such as http://127.0.0.1:8000/presence/; it gets ?project=a&project=b and answers with projects, the list of those that the user may see (default: --auth-url is asked about each project)")
	markNeverEmpty(f, "auth-url")
	a.tokenFlags(f)
}

// tokenFlags declares the flags that say which tokens are valid.
func (a *authFlags) tokenFlags(f *pflag.FlagSet) {
	f.StringVar(&a.jwtSecretFile, "jwt-secret-file", "", "`file` with the secret of tokens signed by HS256: one line of at least 32 bytes, or two lines while the secret is rotated")
	f.StringVar(&a.jwksURL, "jwks-url", "", "`address` of the keys of tokens signed by RS256, ES256 or EdDSA")
	markNeverEmpty(f, "jwt-secret-file", "jwks-url")
	f.StringVar(&a.jwtIssuer, "jwt-issuer", "", "`iss` that tokens must have (default: any)")
	f.StringVar(&a.jwtAudience, "jwt-audience", "", "`aud` that tokens must have (default: only tokens without one)")
	f.StringVar(&a.jwtNameClaim, "jwt-name-claim", "", "`claim` of tokens with the name: a claim such as https://example.org/name, or a dotted path into objects such as user.name (default: the first of username, preferred_username and name)")
	f.StringVar(&a.jwtProjectsClaim, "jwt-projects-claim", "", "`claim` of tokens with the projects, a claim or a dotted path (default: projects)")
}

// enabled reports whether the host application identifies users in any way.
func (a *authFlags) enabled() bool { return a.authURL != "" || a.tokens() }

// tokens reports whether signed tokens are accepted.
func (a *authFlags) tokens() bool { return a.jwtSecretFile != "" || a.jwksURL != "" }

// validate returns an error for an address that cannot be used, and for a flag that has no effect without another one.
func (a *authFlags) validate() error {
	if !a.tokens() && a.jwtIssuer+a.jwtAudience+a.jwtNameClaim+a.jwtProjectsClaim != "" {
		return errors.New("--jwt-issuer, --jwt-audience, --jwt-name-claim and --jwt-projects-claim need --jwt-secret-file or --jwks-url")
	}
	if a.authURL == "" && a.authURLProjects != "" {
		return errors.New("--auth-url-projects needs --auth-url, which answers about one project")
	}
	if a.authURL == "" {
		return nil
	}
	_, err := a.hostAuthenticator(nil)
	return err
}

// hostAuthenticator returns the authenticator that asks the application. It must be called only with --auth-url.
func (a *authFlags) hostAuthenticator(log *slog.Logger) (*identity.Host, error) {
	host, err := identity.NewHost(a.authURL, log)
	if err != nil {
		return nil, fmt.Errorf("--auth-url: %w", err)
	}
	if a.authURLProjects != "" {
		if err := host.SetProjectsAddress(a.authURLProjects); err != nil {
			return nil, fmt.Errorf("--auth-url-projects: %w", err)
		}
	}
	return host, nil
}

// tokenAuthenticator returns the authenticator for tokens. It must be called only if tokens are accepted.
func (a *authFlags) tokenAuthenticator(log *slog.Logger) (tokens *identity.JWT, err error) {
	if a.jwtSecretFile != "" && a.jwksURL != "" {
		return nil, errors.New("--jwt-secret-file and --jwks-url: give one of them; with both, a public key could be used as a secret")
	}
	if a.jwksURL != "" {
		if tokens, err = identity.RemoteKeys(a.jwksURL); err != nil {
			return nil, fmt.Errorf("--jwks-url: %w", err)
		}
	} else if tokens, err = identity.SharedSecret(a.jwtSecretFile); err != nil {
		return nil, fmt.Errorf("--jwt-secret-file: %w", err)
	} else if mode, shared := sharedMode(a.jwtSecretFile); shared {
		log.Warn("every user of this machine can access the secret of --jwt-secret-file and sign in as anybody: run chmod 600 on it, unless it is mounted for this process alone", "file", a.jwtSecretFile, "mode", mode)
	}
	tokens.Issuer, tokens.Audience = a.jwtIssuer, a.jwtAudience
	tokens.NameClaim, tokens.ProjectsClaim = a.jwtNameClaim, a.jwtProjectsClaim
	return tokens, nil
}
