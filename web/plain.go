package web

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
	for rest := body[1:]; ; rest = trimSpace(rest[1:]) {
		end := plainTextEnd(rest)
		if end < 0 || end == len(rest) || rest[end] != ':' {
			return false
		}
		name := rest[1 : end-1]
		rest = trimSpace(rest[end+1:])
		if end = plainValueEnd(rest); end <= 0 || end == len(rest) || !field(name, rest[:end]) {
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
