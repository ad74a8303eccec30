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
	for _, name := range []string{"SECTION", "Section", "ſection", "ſeq", "SEQ", "Session", "ſession", "TOKEN", "toKen", "Type", "HIDDEN", "Known_Version", "unleſſ_occupied"} {
		for _, value := range []string{`"x"`, `1`, `true`} {
			var m Message
			if err := Decode([]byte(`{"`+name+`":`+value+`}`), &m); err != nil || !reflect.DeepEqual(m, Message{}) {
				t.Errorf("%s %s decodes as %+v, %v; want it ignored", name, value, m, err)
			}
		}
	}
	for _, body := range []string{`{"section":"a","section":"a"}`, `{"seq":1,"seq":1}`, `{"hidden":true,"hidden":true}`, `{"known_version":null,"known_version":1}`, `{"type":"a","typ\u0065":"b"}`, `{"later":{"a":1,"a":1}}`} {
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
	} {
		var got Update
		if !decodeFast([]byte(body), &got) || !reflect.DeepEqual(got, due) {
			t.Errorf("%s came to %+v, due is %+v", body, got, due)
		}
	}
}
