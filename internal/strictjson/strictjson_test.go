package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/strictjson"
)

type inner struct{ Revision string }

func (i *inner) Field(name []byte) any {
	if string(name) == "revision" {
		return &i.Revision
	}
	return nil
}

type outer struct {
	Section string
	Seq     uint64
	Known   *uint64
	Saved   inner
}

func (o *outer) Field(name []byte) any {
	switch string(name) {
	case "section":
		return &o.Section
	case "seq":
		return &o.Seq
	case "known":
		return &o.Known
	case "saved":
		return &o.Saved
	}
	return nil
}

func TestOnlyExactNamesMatch(t *testing.T) {
	for _, name := range []string{"SECTION", "Section", "ſection", "sectioN", "section ", " section", "section\\u0000", "ſeq", "SEQ", "ſaved"} {
		var got outer
		if err := strictjson.Decode([]byte(`{"`+name+`":"x"}`), &got); err != nil || got != (outer{}) {
			t.Errorf("name %q: decoded %+v, %v; want it ignored", name, got, err)
		}
		object, err := strictjson.Object([]byte(`{"` + name + `":"x"}`))
		if _, ok := object["section"]; ok || err != nil || len(object) != 1 {
			t.Errorf("name %q: Object returned %v, %v", name, object, err)
		}
	}
	var got outer // an escape is another spelling of the same name
	if err := strictjson.Decode([]byte(`{"se\u0063tion":"x","saved":{"REVISION":"no","revision":"r"}}`), &got); err != nil || got.Section != "x" || got.Saved.Revision != "r" {
		t.Errorf("escaped name: %+v, %v", got, err)
	}
}

func TestDuplicateNamesAreRejectedAtEveryDepth(t *testing.T) {
	many := func(last string) string {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, `"n%d":0,`, i)
		}
		return `{` + b.String() + `"` + last + `":0}`
	}
	for _, text := range []string{
		`{"section":"a","section":"a"}`, `{"section":"a","s\u0065ction":"b"}`, `{"section":null,"section":"b"}`, `{"x":1,"x":2}`,
		`{"saved":{"revision":"a","revision":"b"}}`, `{"x":[{"y":[{"a":1,"a":1}]}]}`, `{"":1,"":2}`, `{"é":1,"\u00e9":2}`,
		many("n0"), many("n99"), many("n32"),
		"{\"a\xff\":1,\"a\xfe\":2}", // both decode to a replacement character
	} {
		var got outer
		if err := strictjson.Decode([]byte(text), &got); err != strictjson.ErrDuplicate {
			t.Errorf("%.60s: %v; want ErrDuplicate", text, err)
		}
		if _, err := strictjson.Object([]byte(text)); err != strictjson.ErrDuplicate {
			t.Errorf("%.60s: Object: %v; want ErrDuplicate", text, err)
		}
	}
	for _, text := range []string{`{"a":{"a":{"a":1}}}`, `{"a":1,"A":2}`, `{"a":[{"b":1},{"b":1}]}`, `{"s":"ſ","ſ":"s"}`, many("n100"), `{"a":"\"a\":1","b":"\\"}`} {
		if _, err := strictjson.Object([]byte(text)); err != nil {
			t.Errorf("%.60s: %v; want success", text, err)
		}
	}
}

func TestTextMustBeOneObject(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, `[]`, `"x"`, `1`, `true`, `{}{}`, `{} {}`, `{}x`, `{},`, `{`, `{"a":1,}`, `{"a"}`, `{a:1}`, `{"a":NaN}`, `{"a":01}`, "\ufeff{}", "{}\x00", `{"a":1]`,
		strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat(`}`, 20_000), // deeper than encoding/json accepts
	} {
		if err := strictjson.Decode([]byte(text), new(outer)); err != strictjson.ErrSyntax {
			t.Errorf("%.60q: %v; want ErrSyntax", text, err)
		}
	}
	for _, text := range []string{`{}`, " \r\n\t{ } \n"} {
		if err := strictjson.Decode([]byte(text), new(outer)); err != nil {
			t.Errorf("%q: %v; want success", text, err)
		}
	}
}

func TestErrorNamesTheMemberThatDoesNotFit(t *testing.T) {
	for text, name := range map[string]string{
		`{"seq":"1"}`: "seq", `{"seq":-1}`: "seq", `{"seq":1.5}`: "seq", `{"section":1}`: "section", `{"known":true}`: "known", `{"saved":1}`: "saved",
		`{"saved":[]}`: "saved", `{"saved":{"revision":1}}`: "saved", `{"x":1,"seq":{},"section":5}`: "seq",
	} {
		var wrong *strictjson.FieldError
		if err := strictjson.Decode([]byte(text), new(outer)); !errors.As(err, &wrong) || wrong.Name != name {
			t.Errorf("%s: %v; want a FieldError of %s", text, err, name)
		}
	}
}

func TestNullLeavesTheFieldUnchanged(t *testing.T) {
	seven := uint64(7)
	got := outer{Section: "s", Seq: 5, Known: &seven, Saved: inner{"r"}}
	want := got
	if err := strictjson.Decode([]byte(`{"section":null,"seq":null,"known":null,"saved":null,"x":null}`), &got); err != nil || got != want {
		t.Errorf("nulls changed %+v to %+v, %v", want, got, err)
	}
}

// FuzzObject compares Object with the tokens of encoding/json.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[{"c":"}"}],"d":{"e":null}}`, `{"a":1,"a":2}`, `{"a\"":"\\"}`, `{"x":[1,[2,{"y":3,"y":4}]]}`, ` { "a" : -1.5e3 , "b" : [ ] } `, `{}x`, "{\"\xff\":1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := strictjson.Object(text)
		duplicate, names, isObject := byTokens(text)
		switch {
		case !isObject:
			if err != strictjson.ErrSyntax {
				t.Errorf("%q: %v; want ErrSyntax", text, err)
			}
		case duplicate:
			if err != strictjson.ErrDuplicate {
				t.Errorf("%q: %v; want ErrDuplicate", text, err)
			}
		default:
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			var want map[string]json.RawMessage
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if len(got) != len(names) || len(want) != len(got) {
				t.Errorf("%q has the names %q, and %d members were returned", text, names, len(got))
			}
			for name, value := range want {
				if !bytes.Equal(bytes.TrimSpace(value), got[name]) {
					t.Errorf("%q: member %q is %q; want %q", text, name, got[name], value)
				}
			}
		}
	})
}

// byTokens reports, from the tokens of encoding/json, whether a text is an object, its names, and whether a name occurs twice.
func byTokens(text []byte) (duplicate bool, names []string, isObject bool) {
	if !json.Valid(text) {
		return false, nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	type open struct {
		object bool
		names  map[string]bool
		isName bool
	}
	var stack []open
	for {
		token, err := d.Token()
		if err == io.EOF {
			return duplicate, names, isObject
		}
		top := len(stack) - 1
		if token == json.Delim('}') || token == json.Delim(']') {
			stack = stack[:top]
			continue
		}
		if top >= 0 && stack[top].object {
			if stack[top].isName = !stack[top].isName; stack[top].isName {
				name := token.(string)
				duplicate = duplicate || stack[top].names[name]
				stack[top].names[name] = true
				if top == 0 {
					names = append(names, name)
				}
				continue
			}
		}
		if delim, ok := token.(json.Delim); ok {
			isObject = isObject || len(stack) == 0 && delim == '{'
			stack = append(stack, open{object: delim == '{', names: map[string]bool{}})
		}
	}
}

func TestNamesOfObjectDoNotShareTheMemoryOfTheText(t *testing.T) {
	text := []byte(`{"a":"b"}`)
	object, err := strictjson.Object(text)
	text[2] = 'x'
	if want := map[string]json.RawMessage{"a": json.RawMessage(`"b"`)}; err != nil || !reflect.DeepEqual(object, want) {
		t.Errorf("%q, %v", object, err)
	}
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(`{"section":"原稿/要約","session":"3J8sQ0c2","seq":17,"activity":"editing","known":1762189200000}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := strictjson.Decode(text, new(outer)); err != nil {
			b.Fatal(err)
		}
	}
}
