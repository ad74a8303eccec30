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

// Dev lets anybody be whom they say they are, by tokens that it gives out: for trying
// things out on one machine. A token is good for every project.
type Dev struct {
	Keys *Keys

	users remembered[presence.User]
}

// Token gives a token for a user. Without an id the name decides it, so that the same
// name is the same person. Errors: [presence.ErrUserIDInvalid], [ErrTokenNameInvalid].
func (d *Dev) Token(id presence.UserID, username string) (string, presence.User, error) {
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
	if id == "" { // of the name as it is shown: "alice " is no second alice
		h := fnv.New32a()
		h.Write([]byte(user.Name))
		user.ID = presence.UserID(strconv.FormatUint(uint64(h.Sum32()), 10))
	}
	encode := base64.RawURLEncoding.EncodeToString
	return d.Keys.Sign("dev", encode([]byte(user.ID))+"."+encode([]byte(user.Name))), user, nil
}

// Admit implements [Gate].
func (d *Dev) Admit(_ context.Context, r Request) (Admission, error) {
	if r.Token == "" {
		return Admission{}, ErrNobody
	}
	user, ok := d.users.get(r.Token, d.user)
	if !ok {
		return Admission{}, reject(BadSignature)
	}
	return Admission{User: user}, nil
}

// user gives whom a token is for.
func (d *Dev) user(token string) (presence.User, bool) {
	text, ok := d.Keys.Verify("dev", token)
	id, name, _ := strings.Cut(text, ".")
	idText, err := base64.RawURLEncoding.DecodeString(id)
	nameText, err2 := base64.RawURLEncoding.DecodeString(name)
	return presence.User{ID: presence.UserID(idText), Name: string(nameText)}, ok && err == nil && err2 == nil
}
