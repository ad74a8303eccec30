package wire

import (
	"encoding/json"
	"reflect"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

// FuzzFastPathAgreesWithStrictDecoder checks that what decodeFast accepts means the same to
// the decoder behind it, that duplicate names never get past it, and that what it gives up
// on midway leaves no trace.
func FuzzFastPathAgreesWithStrictDecoder(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"section":"manuscript/abstract"}`, `{"section": "manuscript/abstract"}`,
		`{"section":"a","session":"tab","seq":5,"activity":"editing","unless_occupied":true,"known_version":1762189200000}`,
		`{"type":"update","token":"t","section":"a","hidden":true}`, `{"type":"a","type":"a"}`, `{"hidden":true,"hidden":false}`, `{"token":"a","Token":"b"}`,
		`{"section":"a", "seq":5, "unless_occupied":false}`, `{"seq":0}`, `{"seq":-1}`, `{"seq":05}`, `{"seq":5 }`, `{"seq":5.0}`, `{"seq":1e1}`,
		`{"seq":18446744073709551615}`, `{"seq":18446744073709551616}`, `{"known_version":0}`, `{"known_version":null}`, `{"known_version":7,"known_version":null}`,
		`{"unless_occupied":true,"unless_occupied":null}`, `{"unless_occupied":true,"unless_occupied":1}`, `{"unless_occupied":tru}`,
		`{"section":"a","section":"b"}`, `{"section":"a","SECTION":"b"}`, `{"section":"a","ſection":"b"}`, `{"section":null}`, `{"section":"a\u0062"}`, `{"section":"ä"}`, "{\"section\":\"a\x7f\"}",
		"{\"section\":\"a\xff\"}", `{"section":"a",}`, `{,}`, `{"section":"a"}}`, `{"section":"a"} `, ` {"section":"a"}`, `{"section":"a"`, `{"section":}`, `{"section"}`,
		`{"section":"a" ,"seq":1}`, `{"section" :"a"}`, `{"seq":1}x`, `{"x":{"section":"a"}}`, `{"x":"}","section":"a"}`, `{"":1}`, `{"seq":"1"}`, `{"section":1}`, `{"activity":true}`, `{"seq":1,"seq":"x"}`,
		`{"section":"a","unsaved":true,"waiting_for":"b"}`, `{"unsaved":false,"waiting_for":""}`, `{"unsaved":null,"waiting_for":null,"saved":null}`, `{"unsaved":1}`, `{"waiting_for":true}`,
		`{"section":"a","saved":{"section":"a","revision":"7"}}`, `{"saved":{}}`, `{"saved":{"revision":null}}`, `{"saved":{"section":"a","section":"a"}}`, `{"saved":{"section":1}}`, `{"saved":[]}`, `{"saved":"}"}`,
		`{"saved":{"section":"a"},"saved":null}`, `{"saved": {"SECTION":"a","x":{"section":"b"}} }`, `{"unsaved":true,"unsaved":false}`, `{"saved":{"section":"a","revision":"}"},"seq":1}`,
		`{"known_version":1,"known_version":1}`, `{"seq":1,"s\u0065q":1}`, `{"x":1,"x":1}`, `{"section":"a","seq":1,"section":"a"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var slow Message
		slowErr := decodeStrict(body, &slow)

		var quick Message
		if decodeFast(body, &quick) {
			if err := json.Unmarshal(body, new(any)); err != nil {
				t.Errorf("%q was accepted, and is not JSON: %v", body, err)
			}
			if slowErr != nil || !reflect.DeepEqual(quick, slow) {
				t.Errorf("the fast path decodes %q as\n%+v\nand the strict decoder as\n%+v, %v", body, quick, slow, slowErr)
			}
			return
		}
		if err := Decode(body, &quick); err != slowErr || err == nil && !reflect.DeepEqual(quick, slow) {
			t.Errorf("after the fast path gave up on %q it is\n%+v, %v\nwant\n%+v, %v", body, quick, err, slow, slowErr)
		}
	})
}

func TestNamesInBodiesAndMessagesAreExactAndUnique(t *testing.T) {
	for _, name := range []string{"SECTION", "Section", "ſection", "ſeq", "SEQ", "Session", "ſession", "TOKEN", "toKen", "Type", "HIDDEN", "Known_Version", "unleſſ_occupied", "Unsaved", "WAITING_FOR", "Saved", "ſaved"} {
		for _, value := range []string{`"x"`, `1`, `true`} {
			var m Message
			if err := Decode([]byte(`{"`+name+`":`+value+`}`), &m); err != nil || !reflect.DeepEqual(m, Message{}) {
				t.Errorf("%s %s decodes as %+v, %v; want it ignored", name, value, m, err)
			}
		}
	}
	for _, body := range []string{`{"section":"a","section":"a"}`, `{"seq":1,"seq":1}`, `{"hidden":true,"hidden":true}`, `{"known_version":null,"known_version":1}`, `{"type":"a","typ\u0065":"b"}`, `{"later":{"a":1,"a":1}}`, `{"saved":{"section":"a","section":"a"}}`, `{"saved":null,"saved":null}`} {
		if err := Decode([]byte(body), new(Message)); err != ErrDuplicateField {
			t.Errorf("%s: %v; want ErrDuplicateField", body, err)
		}
	}
}

// If our own client's bodies took the slow way, nothing but a benchmark would tell.
func TestTheQuickWayTakesWhatTheClientsSend(t *testing.T) {
	version := uint64(1762189200000)
	for body, due := range map[string]Update{
		`{"section": "manuscript/abstract"}`: {Section: "manuscript/abstract"},
		`{"section":"manuscript/abstract","session":"3J8sQ0c2","seq":17,"activity":"editing","unless_occupied":true,"known_version":1762189200000}`: {
			Section: "manuscript/abstract", Session: "3J8sQ0c2", Seq: 17, Activity: presence.Editing, UnlessOccupied: true, KnownVersion: &version,
		},
		`{"section":"","activity":"idle","unless_occupied":false}`: {Activity: presence.Idle},
		`{"section":"a","session":"3J8sQ0c2","seq":17,"activity":"idle","unless_occupied":false,"known_version":1762189200000,"unsaved":true,"waiting_for":"b"}`: {
			Section: "a", Session: "3J8sQ0c2", Seq: 17, Activity: presence.Idle, KnownVersion: &version, Unsaved: true, WaitingFor: "b",
		},
		`{"type":"update","seq":17,"section":"a","activity":"editing","unless_occupied":false,"as_of":1762189200000}`: {
			Section: "a", Seq: 17, Activity: presence.Editing, AsOf: version,
		},
	} {
		var got Message
		if !decodeFast([]byte(body), &got) || !reflect.DeepEqual(got.Update, due) {
			t.Errorf("%s came to %+v, due is %+v", body, got.Update, due)
		}
	}
}

func TestSavedIsDecodedAsAnObjectWithExactNames(t *testing.T) { // rule 19
	for body, want := range map[string]*Saved{
		`{}`:             nil,
		`{"saved":null}`: nil,
		`{"saved":{}}`:   {},
		`{"saved":{"section":"a","revision":"7"}}`:                                     {"a", "7"},
		` { "saved" : { "revision" : "\u0037" , "section" : "a" } } `:                  {"a", "7"},
		`{"saved":{"SECTION":"x","Revision":"x","section":"a","saved_at":"x","x":{}}}`: {Section: "a"},
		`{"saved":{"section":null,"revision":"7"}}`:                                    {Revision: "7"},
	} {
		var got Update
		if err := Decode([]byte(body), &got); err != nil || !reflect.DeepEqual(got, Update{Saved: want}) {
			t.Errorf("%s is decoded as %+v, %v; want saved %+v", body, got, err, want)
		}
	}
	for _, value := range []string{`1`, `true`, `"a"`, `[]`, `[{}]`, `{"section":1}`, `{"revision":7}`, `{"section":{}}`, `{"revision":["7"]}`} {
		if err := Decode([]byte(`{"saved":`+value+`}`), new(Update)); err != ErrFieldType {
			t.Errorf("saved %s: %v; want ErrFieldType", value, err)
		}
	}
}

func TestDomainHasTheFieldsOfAnUpdate(t *testing.T) { // rules 18 to 20
	version := uint64(7)
	body := Update{
		Section: "a", Session: "tab", Seq: 3, Activity: presence.Idle, UnlessOccupied: true, KnownVersion: &version,
		Unsaved: true, WaitingFor: "b", Saved: &Saved{"c", "7"},
	}
	want := presence.Update{
		Section: "a", Session: "tab", Seq: 3, Activity: presence.Idle, UnlessOccupied: true, Poll: true, Known: 7,
		Unsaved: true, WaitingFor: "b", Saved: presence.Saved{Section: "c", Revision: "7"},
	}
	if got, err := body.Domain(); err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	body.AsOf = 5
	if got, err := body.Domain(); err != nil || got != want {
		t.Errorf("with as_of and known_version: got %+v, %v\nwant %+v", got, err, want)
	}
	body.KnownVersion, want.Poll, want.Known = nil, false, 5
	if got, err := body.Domain(); err != nil || got != want {
		t.Errorf("with as_of: got %+v, %v\nwant %+v", got, err, want)
	}
	for _, saved := range []*Saved{{}, {Revision: "7"}} {
		if _, err := (&Update{Section: "a", Saved: saved}).Domain(); err != presence.ErrSectionInvalid {
			t.Errorf("saved %+v: %v; want ErrSectionInvalid", *saved, err)
		}
	}
}
