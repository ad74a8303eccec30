package identity

import (
	"golang.org/x/text/unicode/norm"

	presence "github.com/writer-presence/writer-presence"
)

// NewUser makes a user of what a host says of a person, with the name in the one form
// (NFC) in which names that look the same are the same. The error is
// [presence.ErrUserIDInvalid].
func NewUser(id presence.UserID, name string) (presence.User, error) {
	clean, err := presence.NewUser(id, name, false) // what is dropped may have kept apart what belongs together
	if err != nil {
		return presence.User{}, err
	}
	return presence.NewUser(id, norm.NFC.String(clean.Name), false)
}
