package web

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	presence "writer-presence"
	"writer-presence/identity"
)

// isHandshake tells whether a request asks for this protocol over WebSocket (RFC 6455, 4.2.1).
func isHandshake(r *http.Request) bool {
	key, err := base64.StdEncoding.DecodeString(first(r.Header, "Sec-Websocket-Key"))
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && has(r.Header["Connection"], "upgrade", strings.EqualFold) &&
		has(r.Header["Upgrade"], "websocket", strings.EqualFold) && first(r.Header, "Sec-Websocket-Version") == "13" && err == nil && len(key) == 16 &&
		has(r.Header["Sec-Websocket-Protocol"], subprotocol, func(a, b string) bool { return a == b })
}

// has tells whether a word is in a list that has commas.
func has(lines []string, word string, same func(a, b string) bool) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if same(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

// isOurs tells whether a handshake comes from a page that may open a live connection: for
// WebSocket, browsers leave it to the server to ask.
func (l *live) isOurs(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) != 1 || l.Dev != nil && !isLocal(r.Host) {
		return false
	}
	if len(l.Origins) > 0 {
		return slices.ContainsFunc(l.Origins, func(o string) bool { return strings.EqualFold(o, origins[0]) })
	}
	origin, err := url.Parse(origins[0])
	return err == nil && (origin.Scheme == "http" || origin.Scheme == "https") && strings.EqualFold(origin.Host, r.Host)
}

// credentials are what of a request tells who is asking, kept to ask again. They are kept
// small: there are as many as connections.
type credentials struct {
	token, cookie string
	authorization string // where it is another one than the token
	secure        bool
}

func newCredentials(r identity.Request) credentials {
	c := credentials{
		token:  strings.Clone(r.Token),
		cookie: strings.Join(r.Header["Cookie"], "; "),
		secure: r.Secure,
	}
	if r.Token == "" {
		c.authorization = strings.Clone(first(r.Header, "Authorization"))
	}
	return c
}

func (c credentials) request(project presence.Project) identity.Request {
	r := identity.Request{Project: project, Header: http.Header{}, Token: c.token, Secure: c.secure, Looking: true, Recheck: true}
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	if c.authorization != "" {
		r.Header.Set("Authorization", c.authorization)
	}
	return r
}
