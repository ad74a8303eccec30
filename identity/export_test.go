package identity

import (
	"log/slog"
	"net/http"
)

// NewHostThrough returns a Host that sends its requests through t, and logs nothing.
func NewHostThrough(t http.RoundTripper) *Host { return NewLoggingHostThrough(t, nil) }

// NewLoggingHostThrough returns a Host that sends its requests through t.
func NewLoggingHostThrough(t http.RoundTripper, log *slog.Logger) *Host {
	h, err := NewHost("http://host/{project}", log)
	if err != nil {
		panic(err)
	}
	h.client.Transport = t
	return h
}

// RemoteKeysThrough fetches keys likewise.
func RemoteKeysThrough(t http.RoundTripper) *JWT {
	k := &remoteKeys{address: "http://keys/", client: &http.Client{Transport: t}}
	return k.authenticator()
}
