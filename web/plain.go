package web

import (
	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/strictjson"
)

// mostPlain is how many fields an object may have for the fast path.
const mostPlain = 16

// scanPlain is the fast path for update bodies, which dominate traffic. It decodes an
// object as our own client and the note's write it: flat, with strings of plain characters,
// whole numbers, true and false, and fields that value has, each once.
//
// It returns false for everything else, right or wrong; the caller then decodes the same
// text with strictjson, which sets every field again. What it accepts means the same to
// strictjson.
func scanPlain(body []byte, value strictjson.Fields) bool {
	if len(body) < 2 || body[0] != '{' {
		return false
	}
	var fields [mostPlain]any
	seen := fields[:0]
	for rest := body[1:]; ; rest = trimSpace(rest[1:]) {
		end := plainTextEnd(rest)
		if end < 0 || end == len(rest) || rest[end] != ':' || len(seen) == mostPlain {
			return false
		}
		field := value.Field(rest[1 : end-1])
		for _, other := range seen {
			if other == field {
				return false // the same name twice
			}
		}
		seen = append(seen, field)
		rest = trimSpace(rest[end+1:])
		if end = plainValueEnd(rest); end <= 0 || end == len(rest) || !setPlain(field, rest[:end]) {
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

// setPlain sets a field to a value as it stands in the text: a string in its quotes,
// digits, true or false.
func setPlain(field any, value []byte) bool {
	switch field := field.(type) {
	case *string:
		return plainText(field, value)
	case *presence.Activity:
		return plainText(field, value)
	case *uint64:
		return plainNumber(field, value)
	case **uint64:
		n := new(uint64)
		if !plainNumber(n, value) {
			return false
		}
		*field = n
		return true
	case *bool:
		return plainBool(field, value)
	default: // also nil: an unknown field
		return false
	}
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// plainValueEnd is the end of what may be a value.
func plainValueEnd(b []byte) int {
	if len(b) > 0 && b[0] == '"' {
		return plainTextEnd(b)
	}
	for i, c := range b {
		if c == ',' || c == '}' {
			return i
		}
	}
	return -1
}

// plainTextEnd is the end of a text of plain characters in its quotes, -1 if there is none.
func plainTextEnd(b []byte) int {
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

func plainText[T ~string](to *T, value []byte) bool {
	if len(value) < 2 || value[0] != '"' {
		return false
	}
	*to = T(value[1 : len(value)-1])
	return true
}

func plainNumber(to *uint64, value []byte) bool {
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

func plainBool(to *bool, value []byte) bool {
	*to = string(value) == "true"
	return *to || string(value) == "false"
}
