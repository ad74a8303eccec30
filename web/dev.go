package web

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	presence "writer-presence"
)

type devBody struct {
	Username string  `json:"username"`
	UserID   devUser `json:"user_id"`
}

// devUser is a user id as the wire has it: a whole number, or a text.
type devUser presence.UserID

func (id *devUser) UnmarshalJSON(text []byte) error {
	if string(text) == "null" { // as if it were left out
		return nil
	}
	if bytes.HasPrefix(text, []byte{'"'}) {
		return json.Unmarshal(text, (*string)(id))
	}
	*id = devUser(text)
	if _, ok := presence.UserID(*id).Number(); !ok {
		return &json.UnmarshalTypeError{Value: string(text), Field: "user_id"}
	}
	return nil
}

// devToken answers POST …/dev/token/: anybody on this machine may be anybody.
func (s *Handler) devToken(w http.ResponseWriter, r *http.Request, _ string) (status int) {
	if !IsLocal(r.Host) {
		return s.fail(w, r, errNotLocal)
	}
	var body devBody
	if err := decode(r, &body, nil); err != nil {
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
