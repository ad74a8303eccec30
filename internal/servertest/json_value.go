package servertest

import (
	"strings"
	"sync"

	presence "github.com/writer-presence/writer-presence"
)

// JSONValue is a valid or invalid value for any field.
type JSONValue struct {
	text string
	Kind byte   // n null, b bool, d number, s string, a array, o object, x not JSON
	Text string // of a string
}

// jsonValues returns values of each type, at and over each limit, of 10 kB and 1 MB, nested, with NUL, not UTF-8, and not
// JSON.
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
		strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 100), strings.Repeat("x", 101), strings.Repeat("語", 100), strings.Repeat("語", 101), "/" + strings.Repeat("x", 100) + "/", strings.Repeat("e\u0301", 100), strings.Repeat("e\u0301", 101),
		strings.Repeat("x", presence.MaxUserID), strings.Repeat("x", presence.MaxUserID+1), strings.Repeat("x", 4000), strings.Repeat("x", 4097), strings.Repeat("x", 10_000), strings.Repeat("x", 1_000_000),
	} {
		all = append(all, JSONValue{JSONString(text), 's', text})
	}
	return append(all, JSONValue{`"a\ud800b"`, 's', "a\ufffdb"}, JSONValue{"\"a\xffb\"", 's', "a\ufffdb"})
})
