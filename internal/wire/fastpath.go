package wire

import (
	"bytes"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/strictjson"
)

// maxFastFields is how many fields an object may have for the fast path.
const maxFastFields = 16

// decodeFast decodes the update bodies that dominate traffic: a flat object of known fields, each once, whose
// values are strings of printable ASCII, whole numbers and booleans. Our own client writes such bodies, and so
// do clients of the original specification. A save has an object, which is left to strictjson.
//
// It returns false for every other text, valid or not; the caller then decodes the same text with
// strictjson, which sets every field again. For every text that decodeFast accepts, strictjson decodes the
// same value; FuzzFastPathAgreesWithStrictDecoder checks that.
func decodeFast(body []byte, value strictjson.Fields) bool {
	if len(body) == 0 || body[0] != '{' {
		return false
	}
	var seen [maxFastFields]any
	at := 1
	for i := range seen {
		at = skipSpaces(body, at)
		if at >= len(body) || body[at] != '"' {
			return false
		}
		// A name with an escape may end too early here, but then no field has it.
		end := bytes.IndexByte(body[at+1:], '"')
		if end < 0 {
			return false
		}
		name := body[at+1:][:end]
		at += end + 2
		if at >= len(body) || body[at] != ':' {
			return false
		}
		field := value.Field(name)
		for _, other := range seen[:i] {
			if other == field {
				return false // duplicate name
			}
		}
		seen[i] = field
		at = skipSpaces(body, at+1)
		n := setField(field, body[min(at, len(body)):])
		if at += n; n == 0 || at == len(body) {
			return false
		}
		switch body[at] {
		case '}':
			return at+1 == len(body)
		case ',':
			at++
		default:
			return false
		}
	}
	return false
}

// setField parses the value with which b begins, stores it in the field, a pointer as Field returns it, and returns the
// length of the value; 0 if it cannot.
func setField(field any, b []byte) int {
	switch field := field.(type) {
	case *string:
		n := stringLength(b)
		if n > 0 {
			*field = string(b[1 : n-1])
		}
		return n
	case *presence.Activity:
		n := stringLength(b)
		if n > 0 {
			*field = activity(b[1 : n-1])
		}
		return n
	case *uint64:
		return setNumber(field, b)
	case **uint64:
		number := new(uint64)
		n := setNumber(number, b)
		if n > 0 {
			*field = number
		}
		return n
	case *bool:
		for _, text := range []string{"true", "false"} {
			if len(b) >= len(text) && string(b[:len(text)]) == text {
				*field = text == "true"
				return len(text)
			}
		}
	}
	return 0 // of unknown fields too, which are nil
}

// activity returns an activity without allocating memory for a known one.
func activity(text []byte) presence.Activity {
	for _, known := range [...]presence.Activity{presence.Editing, presence.Viewing, presence.Idle} {
		if string(text) == string(known) {
			return known
		}
	}
	return presence.Activity(text)
}

// skipSpaces returns the index of the next byte of b, from an index on, that is no space.
func skipSpaces(b []byte, at int) int {
	for at < len(b) && b[at] == ' ' {
		at++
	}
	return at
}

// stringLength returns the length of the quoted string of printable ASCII without escapes with which b begins, 0 if
// there is none.
func stringLength(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i, c := range b[1:] {
		switch {
		case c == '"':
			return i + 2
		case c < ' ' || c > '~' || c == '\\':
			return 0
		}
	}
	return 0
}

// setNumber accepts positive integers of at most 16 digits. Zero and leading zeros are left to strictjson.
func setNumber(to *uint64, b []byte) int {
	if len(b) == 0 || b[0] == '0' {
		return 0
	}
	n, length := uint64(0), 0
	for _, c := range b[:min(len(b), len("9007199254740991"))] {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + uint64(c-'0')
		length++
	}
	*to = n
	return length
}
