package identity

import (
	"context"
	"encoding/base64"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode"

	presence "github.com/writer-presence/writer-presence"
)

// Dev authenticates users by tokens that it issues to anybody, under any name, for every project.
// Use it only to try the server out on one machine.
type Dev struct {
	Keys *Keys // needed

	users remembered[presence.User]
}

// Token returns a token for a user. Without an id, the id is a hash of the name, so that the same
// name is the same user. Errors: [presence.ErrUserIDInvalid], [ErrTokenNameInvalid],
// and [presence.ErrUnavailable] without keys.
func (d *Dev) Token(id presence.UserID, username string) (string, presence.User, error) {
	if d.Keys.isEmpty() {
		return "", presence.User{}, errNoKeys
	}
	if !strings.ContainsFunc(username, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }) {
		return "", presence.User{}, ErrTokenNameInvalid
	}
	known := id
	if known == "" {
		known = "0"
	}
	user, err := NewUser(known, username)
	if err != nil {
		return "", presence.User{}, err
	}
	if id == "" { // from the cleaned name: "alice " and "alice" are the same user
		h := fnv.New32a()
		h.Write([]byte(user.Name))
		user.ID = presence.UserID(strconv.FormatUint(uint64(h.Sum32()), 10))
	}
	encode := base64.RawURLEncoding.EncodeToString
	return d.Keys.Sign("dev", encode([]byte(user.ID))+"."+encode([]byte(user.Name))), user, nil
}

// Authenticate implements [Authenticator].
func (d *Dev) Authenticate(_ context.Context, r Request) (Principal, error) {
	if r.Token == "" {
		return Principal{}, ErrNobody
	}
	user, ok := d.users.get(r.Token, d.user)
	if !ok {
		return Principal{}, reject(BadSignature)
	}
	return Principal{User: user}, nil
}

// user returns the user of a token, and false if its signature is invalid.
func (d *Dev) user(token string) (presence.User, bool) {
	text, ok := d.Keys.Verify("dev", token)
	id, name, _ := strings.Cut(text, ".")
	idText, err := base64.RawURLEncoding.DecodeString(id)
	nameText, err2 := base64.RawURLEncoding.DecodeString(name)
	return presence.User{ID: presence.UserID(idText), Name: string(nameText)}, ok && err == nil && err2 == nil
}
