package servertest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	presence "github.com/writer-presence/writer-presence"
)

// BadBody is the body of a request, or a live message, with the result that it must have.
type BadBody struct {
	Name, Body string
	Code       string // of the error; empty for success
	Single     bool   // the body is one object that has the field once
}

// BadBodies returns JSON objects in which one field has one of jsonValues: as the first and the last member, twice,
// nested, in an array and with an escaped name. A field such as saved.revision is one of an object whose other fields are
// valid. base returns the other members of an object with a field, each with a
// comma. check returns the code of the error about a value of a field, empty for none; it gets only values that are JSON.
func BadBodies(base func(field string) string, fields []string, check func(field string, v JSONValue) string) (all []BadBody) {
	add := func(name, body, code string) { all = append(all, BadBody{Name: name, Body: body, Code: code}) }
	for _, field := range append(fields, "unknown", "user_id ", "SECTION", "ſeq", "") {
		for _, v := range jsonValues() {
			outer, text := field, v.text
			switch field {
			case "saved.section":
				outer, text = "saved", `{"revision":"7","section":`+v.text+`}`
			case "saved.revision":
				outer, text = "saved", `{"section":"s","revision":`+v.text+`}`
			}
			code, member, base, whole := "", `"`+outer+`":`+text, base(field), base("")
			name := field + " " + v.text[:min(len(v.text), 20)]
			if code = check(field, v); v.Kind == 'x' {
				code = "bad_json"
			}
			ignored := check("", JSONValue{text: "null", Kind: 'n'}) // the result of the base alone
			if v.Kind == 'x' {
				ignored = "bad_json"
			}
			all = append(all, BadBody{name, `{` + base + member + `}`, code, true})
			if len(v.text) > 100_000 {
				continue // large values are tried once
			}
			add(name+", last", `{`+base+`"x":0,`+member+` }`, code)
			add(name+" nested", `{`+whole+`"x":{`+member+`}}`, ignored)
			if len(v.text) < 100 {
				add(name+" twice", `{`+base+member+`,`+member+`}`, "bad_json")
				add(name+" in an array", `[{`+base+member+`}]`, "bad_json")
				if outer != "" && v.Kind != 'x' {
					escaped := fmt.Sprintf(`"\u%04x%s":`, outer[0], outer[1:])
					if outer[0] < 0x80 {
						add(name+" twice, once escaped", `{`+base+member+`,`+escaped+text+`}`, "bad_json")
					}
				}
			}
		}
	}
	return all
}

// Want returns the status and code of the response.
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

// statusOf has the statuses that are not 400.
var statusOf = map[string]int{"": 200, "body_too_large": 413, "not_json": 415, "unauthenticated": 401}

// TypeError returns the code of the error about a value of the wrong type, as docs/reference/api.md has it. It is empty
// if the type is right.
func TypeError(field string, v JSONValue) string {
	switch {
	case v.Kind != 'n':
	case field == "saved.section":
		return "section_invalid"
	case field == "saved.revision":
		return "revision_invalid"
	default:
		return "" // means that the field is missing
	}
	isUnsigned := v.Kind == 'd' && len(v.text) <= 20 && unsigned.MatchString(v.text)
	if isUnsigned {
		_, err := strconv.ParseUint(v.text, 10, 64)
		isUnsigned = err == nil
	}
	switch field {
	case "section", "session", "activity", "type", "token", "username", "waiting_for", "saved.section", "saved.revision":
		if v.Kind != 's' {
			return "bad_type"
		}
	case "saved":
		if v.Kind != 'o' {
			return "bad_type"
		}
	case "unless_occupied", "hidden", "unsaved":
		if v.Kind != 'b' {
			return "bad_type"
		}
	case "seq":
		if !isUnsigned {
			return "seq_invalid"
		}
	case "known_version", "as_of":
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

// ValueError returns the code of the error about a value that has the right type. It is empty if the value is valid.
func ValueError(field string, v JSONValue) string {
	isTooLarge := v.Kind == 'd' && len(v.text) >= 16 && v.text > "9007199254740991"
	switch {
	case v.Kind == 'n':
	case field == "saved" && v.text == `{"section":"s"}`:
		return "revision_invalid"
	case field == "saved", field == "saved.section" && strings.Trim(v.Text, "/ ") == "":
		return "section_invalid"
	case field == "saved.revision" && (v.Text == "" || utf8.RuneCountInString(v.Text) > 64 || invisible.MatchString(v.Text)):
		return "revision_invalid"
	case isSection(field) && utf8.RuneCountInString(norm.NFC.String(strings.Trim(v.Text, "/ "))) > 100:
		return "section_too_long"
	case isSection(field) && invisible.MatchString(v.Text):
		return "section_invalid"
	case field == "session" && !sessionGrammar.MatchString(v.Text):
		return "session_invalid"
	case field == "activity" && v.Text != "" && v.Text != "editing":
		return "activity_invalid"
	case field == "seq" && isTooLarge:
		return "seq_invalid"
	case (field == "known_version" || field == "as_of") && isTooLarge:
		return "version_invalid"
	case field == "username" && strings.Trim(v.Text, "\x00 ") == "":
		return "name_invalid"
	case field == "user_id" && v.Kind == 's' && (len(v.Text) > presence.MaxUserID || invisible.MatchString(v.Text)):
		return "user_id_invalid"
	}
	return ""
}

func isSection(field string) bool {
	return field == "section" || field == "waiting_for" || field == "saved.section"
}

var (
	sessionGrammar = regexp.MustCompile(`^[A-Za-z0-9._~-]{0,64}$`)
	unsigned       = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
	invisible      = regexp.MustCompile("[\\x00-\\x1f\\x7f\u202e\ufffd]")
)
