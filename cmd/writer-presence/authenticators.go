package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/spf13/pflag"

	"github.com/writer-presence/writer-presence/identity"
)

// gates are the ways to take a host application's word, and what is believed of proxies.
type gates struct {
	jwtSecretFile, jwksURL, jwtIssuer, jwtAudience string
	jwtNameClaim, jwtProjectsClaim, tokenHeader    string
	authURL                                        string
	trustedProxies                                 []string
}

func (g *gates) flags(f *pflag.FlagSet) {
	f.StringVar(&g.authURL, "auth-url", "", "`address` at which to ask the host application who is asking and whether they may, such as http://127.0.0.1:8000/presence/{project}/; it gets the request's Cookie, Authorization, Accept-Language and X-Request-ID, and X-Forwarded-Host, -Proto and -For")
	markNeverEmpty(f, "auth-url")
	g.tokenFlags(f)
	f.StringVar(&g.tokenHeader, "token-header", "", "`header` in which tokens come, with or without the word Bearer, such as X-Presence-Token where basic authentication in front needs Authorization; Authorization: Bearer is read where a request lacks it")
	f.StringSliceVar(&g.trustedProxies, "trusted-proxies", nil, "`networks` of your proxies, with commas, such as 127.0.0.1/32; what they say in X-Forwarded-For, -Proto and -Host, or in Forwarded, is believed: of the client's address, for the limits, and of the address of the page")
}

// tokenFlags are those that say which tokens are valid.
func (g *gates) tokenFlags(f *pflag.FlagSet) {
	f.StringVar(&g.jwtSecretFile, "jwt-secret-file", "", "`file` with the secret of tokens signed by HS256: a line of at least 32 bytes, or two while it is changed")
	f.StringVar(&g.jwksURL, "jwks-url", "", "`address` of the keys of tokens signed by RS256, ES256 or EdDSA")
	markNeverEmpty(f, "jwt-secret-file", "jwks-url")
	f.StringVar(&g.jwtIssuer, "jwt-issuer", "", "`iss` that tokens must have (default: any)")
	f.StringVar(&g.jwtAudience, "jwt-audience", "", "`aud` that tokens must have (default: only tokens without one)")
	f.StringVar(&g.jwtNameClaim, "jwt-name-claim", "", "`claim` of tokens that has the name: a claim such as https://example.org/name, or a dotted path into objects such as user.name (default: the first of username, preferred_username and name)")
	f.StringVar(&g.jwtProjectsClaim, "jwt-projects-claim", "", "`claim` of tokens that has the projects, likewise (default: projects)")
}

// any tells whether the host has a say.
func (g *gates) any() bool { return g.authURL != "" || g.tokens() }

func (g *gates) tokens() bool { return g.jwtSecretFile != "" || g.jwksURL != "" }

func (g *gates) checkDev() error {
	if g.tokens() {
		return errors.New("--dev gives out tokens of its own: leave it out, or --jwt-secret-file and --jwks-url")
	}
	return nil
}

// open makes the gates, in the order in which they are asked.
func (g *gates) open(log *slog.Logger) (open []identity.Authenticator, err error) {
	if !g.tokens() && g.jwtIssuer+g.jwtAudience+g.jwtNameClaim+g.jwtProjectsClaim != "" {
		return nil, errors.New("--jwt-issuer, --jwt-audience, --jwt-name-claim and --jwt-projects-claim need --jwt-secret-file or --jwks-url")
	}
	if g.tokens() {
		tokens, err := g.openTokens(log)
		if err != nil {
			return nil, err
		}
		open = append(open, tokens)
	}
	if g.authURL != "" {
		host, err := identity.NewHost(g.authURL, log)
		if err != nil {
			return nil, fmt.Errorf("--auth-url: %w", err)
		}
		open = append(open, host)
	}
	return open, nil
}

// openTokens makes the authenticator of tokens, which --jwt-secret-file or --jwks-url asks for.
func (g *gates) openTokens(log *slog.Logger) (tokens *identity.JWT, err error) {
	if g.jwtSecretFile != "" && g.jwksURL != "" {
		return nil, errors.New("--jwt-secret-file and --jwks-url: give one of them; with both, a public key could be taken for a secret")
	}
	if g.jwksURL != "" {
		if tokens, err = identity.RemoteKeys(g.jwksURL); err != nil {
			return nil, fmt.Errorf("--jwks-url: %w", err)
		}
	} else if tokens, err = identity.SharedSecret(g.jwtSecretFile); err != nil {
		return nil, fmt.Errorf("--jwt-secret-file: %w", err)
	} else if info, err := os.Stat(g.jwtSecretFile); err == nil && info.Mode()&0o007 != 0 {
		log.Warn("the secret of tokens is open to every user of this machine, and who reads it can sign in as anybody: run chmod 600 on it, unless it is mounted for this process alone", "file", g.jwtSecretFile, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
	tokens.Issuer, tokens.Audience = g.jwtIssuer, g.jwtAudience
	tokens.NameClaim, tokens.ProjectsClaim = g.jwtNameClaim, g.jwtProjectsClaim
	return tokens, nil
}

func (g *gates) trusted() (networks []netip.Prefix, err error) {
	for _, text := range g.trustedProxies {
		network, err := netip.ParsePrefix(text)
		if a, err2 := netip.ParseAddr(text); err2 == nil {
			network, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies %q: give networks such as 10.0.0.0/8, or addresses", text)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}
