package servertest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// JsonValue is a value, right or wrong, for any field.
type JSONValue struct {
	text string
	Kind byte   // n null, b bool, d number, s string, a array, o object, x not JSON
	Text string // of a string
}

// values are those that every field is tried with: each type, each limit and one more, 10 kB and
// 1 MB, nested, NUL, not UTF-8.
var jsonValues = sync.OnceValue(func() (all []JSONValue) {
	add := func(kind byte, texts ...string) {
		for _, text := range texts {
			all = append(all, JSONValue{text: text, Kind: kind})
		}
	}
	add('n', `null`)
	add('b', `true`, `false`)
	add('d', `0`, `1`, `-1`, `-0`, `1.0`, `1.5`, `1e0`, `1e400`, `9007199254740991`, `9007199254740992`, `9223372036854775808`, `18446744073709551616`,
		strings.Repeat("9", 3000), strings.Repeat("9", 10_000), strings.Repeat("9", 1_000_000))
	add('a', `[]`, `["s"]`, `[1]`, `[null]`, strings.Repeat("[", 1500)+strings.Repeat("]", 1500))
	add('o', `{}`, `{"a":1}`, `{"section":"s"}`, strings.Repeat(`{"a":`, 500)+`1`+strings.Repeat("}", 500))
	add('x', ``, `nul`, `undefined`, `NaN`, `Infinity`, `01`, `+1`, `0x1`, `1 2`, `'s'`, `"s`, "\"a\x00b\"", "\x00", "\"a\nb\"", `"\x41"`, `"\u00"`, `True`, `[1,]`, `[`, `{"a":1,}`, `{"a"}`, `{"a":1,"a":2}`,
		strings.Repeat("[", 3000), strings.Repeat(`{"a":`, 800))
	for _, text := range []string{
		"", "a", "0", "1", "-1", "1.5", "true", "null", "editing", "a/b", "a//b", "/", "a b", "[object Object]", "<script>", "__proto__", "%00", "a\x00b", "\x00", "a\nb", "a\u202eb", "ä", "hello\r\nX: y",
		strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 100), strings.Repeat("x", 101), strings.Repeat("語", 100), strings.Repeat("語", 101),
		strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("x", 4000), strings.Repeat("x", 4097), strings.Repeat("x", 10_000), strings.Repeat("x", 1_000_000),
	} {
		all = append(all, JSONValue{JSONString(text), 's', text})
	}
	return append(all, JSONValue{`"a\ud800b"`, 's', "a\ufffdb"}, JSONValue{"\"a\xffb\"", 's', "a\ufffdb"})
})

// BadBody is a body or message, and what its answer has to be.
type BadBody struct {
	Name, Body string
	Code       string // of the error; empty for success
	Single     bool   // one object with the field once
}

// BadBodies are all objects in which one field has one of the values, as a member of the
// object, twice, nested, in an array and by another name. Base gives the other members of an
// object that has a field. The function check gives the code of the error about a value of a field, empty for none; it
// is not asked about values that are not JSON.
func BadBodies(base func(field string) string, fields []string, check func(field string, v JSONValue) string) (all []BadBody) {
	add := func(name, body, code string) { all = append(all, BadBody{Name: name, Body: body, Code: code}) }
	for _, field := range append(fields, "unknown", "user_id ", "SECTION", "ſeq", "") {
		for _, v := range jsonValues() {
			code, member, base, whole := "", `"`+field+`":`+v.text, base(field), base("")
			name := field + " " + v.text[:min(len(v.text), 20)]
			if code = check(field, v); v.Kind == 'x' {
				code = "bad_json"
			}
			ignored := check("", JSONValue{text: "null", Kind: 'n'}) // what the base comes to
			if v.Kind == 'x' {
				ignored = "bad_json"
			}
			all = append(all, BadBody{name, `{` + base + member + `}`, code, true})
			if len(v.text) > 100_000 {
				continue // once is enough
			}
			add(name+", last", `{`+base+`"x":0,`+member+` }`, code)
			add(name+" nested", `{`+whole+`"x":{`+member+`}}`, ignored)
			if len(v.text) < 100 {
				add(name+" twice", `{`+base+member+`,`+member+`}`, "bad_json")
				add(name+" in an array", `[{`+base+member+`}]`, "bad_json")
				if field != "" && v.Kind != 'x' {
					escaped := fmt.Sprintf(`"\u%04x%s":`, field[0], field[1:])
					if field[0] < 0x80 {
						add(name+" twice, once escaped", `{`+base+member+`,`+escaped+v.text+`}`, "bad_json")
					}
				}
			}
		}
	}
	return all
}

// FieldError is the code of the error about a value that has the wrong type, as docs/reference/api.md has
// it; empty if the type is right.
func TypeError(field string, v JSONValue) string {
	if v.Kind == 'n' {
		return "" // as if left out
	}
	isUnsigned := v.Kind == 'd' && len(v.text) <= 20 && unsigned.MatchString(v.text)
	if isUnsigned {
		_, err := strconv.ParseUint(v.text, 10, 64)
		isUnsigned = err == nil
	}
	switch field {
	case "section", "session", "activity", "type", "token", "username":
		if v.Kind != 's' {
			return "bad_type"
		}
	case "unless_occupied", "hidden":
		if v.Kind != 'b' {
			return "bad_type"
		}
	case "seq":
		if !isUnsigned {
			return "seq_invalid"
		}
	case "known_version":
		if !isUnsigned {
			return "version_invalid"
		}
	case "user_id":
		n, err := strconv.ParseInt(v.text, 10, 64)
		if v.Kind != 's' && (v.Kind != 'd' || err != nil || strconv.FormatInt(n, 10) != v.text) {
			return "bad_type"
		}
	}
	return ""
}

// ValueError is the code of the error about a value of the right type.
func ValueError(field string, v JSONValue) string {
	isTooLarge := v.Kind == 'd' && len(v.text) >= 16 && v.text > "9007199254740991"
	switch {
	case v.Kind == 'n':
	case field == "section" && utf8.RuneCountInString(v.Text) > 100:
		return "section_too_long"
	case field == "section" && (invisible.MatchString(v.Text) || slices.Contains(strings.Split(v.Text, "/"), "") && v.Text != ""):
		return "section_invalid"
	case field == "session" && !sessionGrammar.MatchString(v.Text):
		return "session_invalid"
	case field == "activity" && v.Text != "" && v.Text != "editing":
		return "activity_invalid"
	case field == "seq" && isTooLarge:
		return "seq_invalid"
	case field == "known_version" && isTooLarge:
		return "version_invalid"
	case field == "username" && strings.Trim(v.Text, "\x00 ") == "":
		return "name_invalid"
	case field == "user_id" && v.Kind == 's' && (len(v.Text) > 200 || invisible.MatchString(v.Text)):
		return "user_id_invalid"
	}
	return ""
}

// statusOf are the statuses of the codes that a bad body may have, as docs/reference/api.md has them.
var statusOf = map[string]int{"": 200, "body_too_large": 413, "not_json": 415, "unauthenticated": 401}

func (b BadBody) Want() (status int, code string) {
	code = b.Code
	if len(b.Body) > 4096 {
		code = "body_too_large"
	}
	status, ok := statusOf[code]
	if !ok {
		status = 400
	}
	return status, code
}

var (
	sessionGrammar = regexp.MustCompile(`^[A-Za-z0-9._~-]{0,64}$`)
	unsigned       = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
	invisible      = regexp.MustCompile("[\\x00-\\x1f\\x7f\u202e\ufffd]")
)
