package httpapi

import (
	"net/http"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/hostid"
	"github.com/writer-presence/writer-presence/internal/localhost"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// devBody is the body of a request for a development token.
type devBody struct {
	Username string
	UserID   hostid.ID
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

// devToken answers POST …/dev/token/. It issues a page of this machine a token for any name.
func (h *Handler) devToken(w http.ResponseWriter, r *http.Request, _ string) (status int) {
	if !localhost.Is(r.Host) {
		return h.fail(w, r, wire.ErrNotLocal)
	}
	var body devBody
	if err := decodeBody(r, &body); err != nil {
		return h.fail(w, r, err)
	}
	token, user, err := h.current.Load().dev.Token(presence.UserID(body.UserID), body.Username)
	if err != nil {
		return h.fail(w, r, err)
	}
	w.Header()["Cache-Control"] = noStore
	you := &presence.Occupant{User: user, Activity: presence.Viewing, LastSeen: time.Now()}
	return respond(w, http.StatusOK, wire.AppendToken(nil, token, you))
}
