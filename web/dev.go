package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

type devBody struct {
	Username string
	UserID   identity.HostID
}

// Field implements [strictjson.Fields].
func (b *devBody) Field(name []byte) any {
	switch string(name) {
	case "username":
		return &b.Username
	case "user_id":
		return &b.UserID
	default:
		return nil
	}
}

// devToken answers POST …/dev/token/: anybody on this machine may be anybody.
func (s *Handler) devToken(w http.ResponseWriter, r *http.Request, _ string) (status int) {
	if !IsLocal(r.Host) {
		return s.fail(w, r, errNotLocal)
	}
	var body devBody
	if err := decode(r, &body); err != nil {
		return s.fail(w, r, err)
	}
	token, user, err := s.Dev.Token(presence.UserID(body.UserID), body.Username)
	if err != nil {
		return s.fail(w, r, err)
	}
	b := append([]byte(`{"success":true,"token":"`), token...)
	b = append(b, `","user":`...)
	b = append(b, presence.NewOccupant(presence.Occupant{User: user, Activity: presence.Viewing, LastSeen: time.Now()}).JSON()...)
	w.Header()["Cache-Control"] = noStore
	return answer(w, http.StatusOK, append(b, '}'))
}

// isLocalOrigin reports whether an Origin header is absent or that of a page of this machine.
func isLocalOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return origin == "" || err == nil && IsLocal(u.Host)
}

// IsLocal tells whether a page of this host name is one of this machine, and not one
// of a stranger's whose name was made to point here.
func IsLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
