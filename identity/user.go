package identity

import (
	"golang.org/x/text/unicode/norm"

	presence "github.com/writer-presence/writer-presence"
)

// NewUser returns a user with the id and name that a host gives. It normalises the name to NFC, in
// which names that look the same are equal. The error is [presence.ErrUserIDInvalid].
func NewUser(id presence.UserID, name string) (presence.User, error) {
	clean, err := presence.NewUser(id, name, false) // before NFC: a character that is dropped may separate two that NFC combines
	if err != nil {
		return presence.User{}, err
	}
	return presence.NewUser(id, norm.NFC.String(clean.Name), false)
}
