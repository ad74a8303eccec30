// Package hostid decodes the user ids of host applications.
package hostid

import (
	"encoding/json"
	"errors"
	"strconv"

	presence "github.com/writer-presence/writer-presence"
)

// ID is a user id as hosts write it in JSON: a string, or a whole number that fits in a signed
// 64-bit integer. 42 and "42" are the same user.
type ID presence.UserID

var errInvalid = errors.New("a user id is a string or a whole number from -9223372036854775808 to 9223372036854775807; send larger numbers as strings")

// UnmarshalJSON leaves the id as it is for null. Numbers have exactly one spelling: -0, 1.0
// and 1e3 are errors, so that no user has two ids.
func (id *ID) UnmarshalJSON(text []byte) error {
	switch {
	case string(text) == "null":
		return nil
	case len(text) > 0 && text[0] == '"':
		return json.Unmarshal(text, (*string)(id))
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != string(text) {
		return errInvalid
	}
	*id = ID(text)
	return nil
}
