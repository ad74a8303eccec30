// Package strictjson decodes JSON objects that other programs send: request bodies, live messages, tokens and the answers
// of the host application.
//
// It is stricter than encoding/json, which ignores the case of names (with Unicode folding) and takes the last of two
// members with the same name. If a proxy or the host application reads such a text differently, an attacker can use the
// difference. Here a name matches only itself, and a name that occurs twice in one object, at any depth, is an error.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

var (
	// ErrSyntax reports a text that is not exactly one JSON object.
	ErrSyntax = errors.New("not one JSON object")
	// ErrDuplicate reports an object with two members of the same name.
	ErrDuplicate = errors.New("a JSON object with the same name twice")
)

// FieldError reports a member whose value has the wrong type or is out of range.
type FieldError struct {
	Name string
	Err  error
}

func (e *FieldError) Error() string { return fmt.Sprintf("field %s: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// Fields is a value that can be decoded from an object. Field returns a pointer to the field with exactly this name, as
// spelt in JSON, or nil if there is none; it must not keep the slice. If the pointer implements Fields, the member must be
// an object.
type Fields interface {
	Field(name []byte) any
}

// Decode decodes an object. It ignores members without a field in value, and a member that is null leaves its field
// unchanged. It returns [ErrSyntax], [ErrDuplicate], or a *[FieldError] for the first member that does not fit its field;
// in the last case the other members are decoded.
func Decode(text []byte, value Fields) error {
	members, err := scan(text)
	if err != nil {
		return err
	}
	var first error
	for _, m := range members {
		if err := m.decode(value); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Object returns the members of an object, by name. The values share the memory of the text. It returns [ErrSyntax] or
// [ErrDuplicate].
func Object(text []byte) (map[string]json.RawMessage, error) {
	members, err := scan(text)
	if err != nil {
		return nil, err
	}
	object := make(map[string]json.RawMessage, len(members))
	for _, m := range members {
		object[string(m.name)] = m.value
	}
	return object, nil
}

// IsNull reports whether a member's value is null or missing.
func IsNull(value json.RawMessage) bool { return len(value) == 0 || value[0] == 'n' }

type member struct{ name, value []byte }

func (m member) decode(value Fields) error {
	if m.value[0] == 'n' {
		return nil
	}
	to := value.Field(m.name)
	var err error
	switch to := to.(type) {
	case nil:
		return nil
	case Fields:
		if m.value[0] != '{' {
			err = errors.New("not an object")
		} else {
			err = Decode(m.value, to)
		}
	default:
		err = json.Unmarshal(m.value, to)
	}
	if err != nil {
		return &FieldError{string(m.name), err}
	}
	return nil
}

// scan returns the members of the object that is the whole text.
func scan(text []byte) ([]member, error) {
	text = bytes.TrimLeft(text, space)
	if len(text) == 0 || text[0] != '{' || !json.Valid(text) {
		return nil, ErrSyntax
	}
	s := scanner{text: text, members: make([]member, 0, 8)}
	s.value(0)
	if s.duplicate {
		return nil, ErrDuplicate
	}
	return s.members, nil
}

const space = " \t\r\n"

// scanner reads a text that is valid JSON, so it checks names only.
type scanner struct {
	text      []byte
	at        int
	members   []member // of the outermost object
	duplicate bool
}

// peek skips white space, commas and colons, and returns the next byte.
func (s *scanner) peek() byte {
	for {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			s.at++
		default:
			return c
		}
	}
}

// value skips one value. It recurses as deep as json.Valid accepts.
func (s *scanner) value(depth int) {
	switch s.peek() {
	case '{':
		s.object(depth)
	case '[':
		for s.at++; s.peek() != ']'; {
			s.value(depth + 1)
		}
		s.at++
	case '"':
		s.string()
	default: // a number, true, false or null
		for s.at < len(s.text) && bytes.IndexByte([]byte(space+",:]}"), s.text[s.at]) < 0 {
			s.at++
		}
	}
}

// object skips an object, looks for duplicate names, and collects the members of the outermost object.
func (s *scanner) object(depth int) {
	var few [16][]byte
	names := few[:0]
	var many map[string]bool // replaces names in large objects, where comparing all pairs would be slow
	for s.at++; s.peek() != '}'; {
		raw := s.string()
		name := raw[1 : len(raw)-1]
		if !isPlain(name) {
			var text string
			_ = json.Unmarshal(raw, &text) // cannot fail: it is part of valid JSON
			name = []byte(text)
		}
		s.peek()
		from := s.at
		s.value(depth + 1)
		if depth == 0 {
			s.members = append(s.members, member{name, s.text[from:s.at:s.at]})
		}
		if many == nil {
			for _, other := range names {
				s.duplicate = s.duplicate || bytes.Equal(other, name)
			}
			if names = append(names, name); len(names) > 32 {
				many = map[string]bool{}
				for _, other := range names {
					many[string(other)] = true
				}
			}
			continue
		}
		s.duplicate = s.duplicate || many[string(name)]
		many[string(name)] = true
	}
	s.at++
}

// string skips a string and returns it with its quotes.
func (s *scanner) string() []byte {
	from := s.at
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	return s.text[from:s.at]
}

// isPlain reports whether a string is decoded to itself: it has no escapes and is ASCII, so that there is no invalid UTF-8
// to replace.
func isPlain(name []byte) bool {
	for _, c := range name {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}
