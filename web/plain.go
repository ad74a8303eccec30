package web

import (
	"bytes"
	"strconv"
)

// scanPlain reads a JSON object as our own client and the note's write it: flat, with
// texts of plain characters and whole numbers. It gives each field to the function,
// with its value as it stands: "text" in its quotes, digits, true, false or null.
//
// It is the quick way for the one body that comes a million times. Whatever it does not
// know, and whatever the function does not want, it leaves to encoding/json by returning
// false; what it takes means to encoding/json the same.
func scanPlain(body []byte, field func(name, value []byte) bool) bool {
	if len(body) < 2 || body[0] != '{' {
		return false
	}
	rest := body[1:]
	for {
		name, after, ok := scanText(rest)
		if !ok || len(after) == 0 || after[0] != ':' {
			return false
		}
		rest = bytes.TrimLeft(after[1:], " ")
		var value []byte
		if len(rest) > 0 && rest[0] == '"' {
			if _, after, ok = scanText(rest); !ok {
				return false
			}
			value, rest = rest[:len(rest)-len(after)], after
		} else {
			end := bytes.IndexAny(rest, ",}")
			if end < 0 {
				return false
			}
			value, rest = rest[:end], rest[end:]
		}
		if !field(name, value) || len(rest) == 0 {
			return false
		}
		if rest[0] == '}' {
			return len(rest) == 1
		}
		if rest[0] != ',' {
			return false
		}
		rest = bytes.TrimLeft(rest[1:], " ")
	}
}

// scanText reads a text of plain characters, and gives it without its quotes.
func scanText(b []byte) (text, after []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[1:i], b[i+1:], true
		case c < ' ' || c > '~' || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

func plainText[T ~string](to *T, value []byte) bool {
	if len(value) < 2 || value[0] != '"' {
		return false
	}
	*to = T(value[1 : len(value)-1])
	return true
}

func plainNumber(to *uint64, value []byte) bool {
	if len(value) == 0 || value[0] < '1' || value[0] > '9' {
		return false
	}
	n, err := strconv.ParseUint(string(value), 10, 64)
	*to = n
	return err == nil
}

func plainBool(to *bool, value []byte) bool {
	*to = string(value) == "true"
	return *to || string(value) == "false"
}
