package wire

import (
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
	if len(body) < 2 || body[0] != '{' {
		return false
	}
	var fields [maxFastFields]any
	seen := fields[:0]
	for rest := body[1:]; ; rest = trimSpaces(rest[1:]) {
		end := stringEnd(rest)
		if end < 0 || end == len(rest) || rest[end] != ':' || len(seen) == maxFastFields {
			return false
		}
		field := value.Field(rest[1 : end-1])
		for _, other := range seen {
			if other == field {
				return false // duplicate name
			}
		}
		seen = append(seen, field)
		rest = trimSpaces(rest[end+1:])
		if end = valueEnd(rest); end <= 0 || end == len(rest) || !setField(field, rest[:end]) {
			return false
		}
		switch rest = rest[end:]; rest[0] {
		case '}':
			return len(rest) == 1
		case ',':
		default:
			return false
		}
	}
}

// setField parses a value and stores it in the field, a pointer as Field returns it.
func setField(field any, value []byte) bool {
	switch field := field.(type) {
	case *string:
		return setString(field, value)
	case *presence.Activity:
		return setString(field, value)
	case *uint64:
		return setNumber(field, value)
	case **uint64:
		n := new(uint64)
		if !setNumber(n, value) {
			return false
		}
		*field = n
		return true
	case *bool:
		*field = string(value) == "true"
		return *field || string(value) == "false"
	default: // unknown fields too: nil
		return false
	}
}

func trimSpaces(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// valueEnd returns the index after the value with which b begins, -1 if there is none.
func valueEnd(b []byte) int {
	if len(b) > 0 && b[0] == '"' {
		return stringEnd(b)
	}
	for i, c := range b {
		if c == ',' || c == '}' {
			return i
		}
	}
	return -1
}

// stringEnd returns the index after the quoted string of printable ASCII without escapes with which
// b begins, -1 if there is none.
func stringEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return -1
	}
	for i, c := range b[1:] {
		switch {
		case c == '"':
			return i + 2
		case c < ' ' || c > '~' || c == '\\':
			return -1
		}
	}
	return -1
}

func setString[T ~string](to *T, value []byte) bool {
	if len(value) < 2 || value[0] != '"' {
		return false
	}
	*to = T(value[1 : len(value)-1])
	return true
}

// setNumber accepts positive integers of at most 16 digits. Zero and leading zeros are left to
// strictjson.
func setNumber(to *uint64, value []byte) bool {
	if len(value) == 0 || len(value) > len("9007199254740991") || value[0] == '0' {
		return false
	}
	*to = 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
		*to = *to*10 + uint64(c-'0')
	}
	return true
}
