package identity

import (
	"log/slog"
	"net/http"
)

// NewHostThrough asks through something that a test answers for.
func NewHostThrough(t http.RoundTripper) *Host {
	h, err := NewHost("http://host/{project}", slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	h.client.Transport = t
	return h
}

// RemoteKeysThrough fetches keys likewise.
func RemoteKeysThrough(t http.RoundTripper) *JWT {
	k := &remoteKeys{address: "http://keys/", client: &http.Client{Transport: t}}
	return k.gate()
}
