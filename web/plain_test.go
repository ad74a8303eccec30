package web

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

// FuzzFastPathAgreesWithStrictDecoder checks that what scanPlain accepts means the same to
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
		var slow liveMessage
		slowErr := parseAny(body, &slow)

		var quick liveMessage
		if scanPlain(body, &quick) {
			if err := json.Unmarshal(body, new(any)); err != nil {
				t.Errorf("%q was accepted, and is not JSON: %v", body, err)
			}
			if slowErr != nil || !reflect.DeepEqual(quick, slow) {
				t.Errorf("the fast path decodes %q as\n%+v\nand the strict decoder as\n%+v, %v", body, quick, slow, slowErr)
			}
			return
		}
		if err := parse(body, &quick); err != slowErr || err == nil && !reflect.DeepEqual(quick, slow) {
			t.Errorf("after the fast path gave up on %q it is\n%+v, %v\nwant\n%+v, %v", body, quick, err, slow, slowErr)
		}
	})
}

func TestNamesInBodiesAndMessagesAreExactAndUnique(t *testing.T) {
	for _, name := range []string{"SECTION", "Section", "ſection", "ſeq", "SEQ", "Session", "ſession", "TOKEN", "toKen", "Type", "HIDDEN", "Known_Version", "unleſſ_occupied"} {
		for _, value := range []string{`"x"`, `1`, `true`} {
			var m liveMessage
			if err := parse([]byte(`{"`+name+`":`+value+`}`), &m); err != nil || !reflect.DeepEqual(m, liveMessage{}) {
				t.Errorf("%s %s decodes as %+v, %v; want it ignored", name, value, m, err)
			}
			var d devBody
			if err := parse([]byte(`{"`+name+`":`+value+`,"USERNAME":"x","uſername":"x","USER_ID":1}`), &d); err != nil || d != (devBody{}) {
				t.Errorf("%s %s decodes as %+v, %v; want it ignored", name, value, d, err)
			}
		}
	}
	for _, body := range []string{`{"section":"a","section":"a"}`, `{"seq":1,"seq":1}`, `{"hidden":true,"hidden":true}`, `{"known_version":null,"known_version":1}`, `{"type":"a","typ\u0065":"b"}`, `{"later":{"a":1,"a":1}}`} {
		if err := parse([]byte(body), new(liveMessage)); err != errJSONTwice {
			t.Errorf("%s: %v; want errJSONTwice", body, err)
		}
	}
}

// If our own client's bodies took the slow way, nothing but a benchmark would tell.
func TestTheQuickWayTakesWhatTheClientsSend(t *testing.T) {
	version := uint64(1762189200000)
	for body, due := range map[string]updateBody{
		`{"section": "manuscript/abstract"}`: {Section: "manuscript/abstract"},
		`{"section":"manuscript/abstract","session":"3J8sQ0c2","seq":17,"activity":"editing","unless_occupied":true,"known_version":1762189200000}`: {
			Section: "manuscript/abstract", Session: "3J8sQ0c2", Seq: 17, Activity: presence.Editing, UnlessOccupied: true, KnownVersion: &version,
		},
		`{"section":"","activity":"idle","unless_occupied":false}`: {Activity: presence.Idle},
	} {
		var got updateBody
		if !scanPlain([]byte(body), &got) || !reflect.DeepEqual(got, due) {
			t.Errorf("%s came to %+v, due is %+v", body, got, due)
		}
	}
}

func FuzzATagIsKnownIfItIsGivenAndOnlyThen(f *testing.F) {
	for _, seed := range []string{`W/"1"`, `"1"`, `*`, ``, `"0", W/"1"`, `"1", "2"`, `W/`, `"`, `,`, ` , `, `W/W/"1"`, `"1`, `1`, `"11"`, `"a,"`, `"a, W/"1"`} {
		f.Add(seed, uint64(1))
	}
	f.Fuzz(func(t *testing.T, line string, version uint64) {
		text, _ := json.Marshal(version)
		strong := `"` + string(text) + `"`
		tag := "W/" + strong
		got := matches([]string{line}, tag)
		if got && !bytes.Contains([]byte(line), []byte(strong)) && !bytes.Contains([]byte(line), []byte("*")) {
			t.Errorf("If-None-Match: %q matches %s, and does not have it", line, tag)
		}
		for _, lines := range [][]string{{line, tag}, {line, strong}, {line + "," + tag}, {tag + " , " + line}, {line + ", " + strong + ",x"}, {"*"}} {
			if !matches(lines, tag) {
				t.Errorf("If-None-Match: %q does not match %s", lines, tag)
			}
		}
		if matches(nil, tag) || matches([]string{""}, tag) {
			t.Errorf("no If-None-Match matches %s", tag)
		}
	})
}

func FuzzADevTokensBodyIsAUserOrAnError(f *testing.F) {
	for _, seed := range []string{
		`{"username":"alice"}`, `{"username":"alice","user_id":1}`, `{"username":"a","user_id":"x"}`, `{"username":"a","user_id":null}`, `{"username":"a","user_id":-0}`,
		`{"username":"a","user_id":00}`, `{"username":"a","user_id":1.0}`, `{"user_id":1,"user_id":null}`, `{"user_id":"\ud800"}`, `{"user_id":{"a":1}}`, `{"user_id":tru}`, `{"user_id": 9007199254740992}`, `[]`, `{"user_id":"visitor-"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var body devBody
		err := parseAny(text, &body)
		if err != nil {
			if err != errJSON && err != errJSONTwice && err != errType {
				t.Errorf("%q is the error %v", text, err)
			}
			return
		}
		var given struct {
			ID any `json:"user_id"`
		}
		if body.UserID == "" {
			return // perhaps left out: encoding/json would take USER_ID for it
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&given); err != nil {
			t.Fatalf("%q was taken, and is not JSON: %v", text, err)
		}
		switch id := given.ID.(type) {
		case string:
			if string(body.UserID) != id {
				t.Errorf("%q is of user %q, due is %q", text, body.UserID, id)
			}
		case json.Number:
			if n, err := strconv.ParseInt(id.String(), 10, 64); err != nil || strconv.FormatInt(n, 10) != string(body.UserID) || string(body.UserID) != id.String() {
				t.Errorf("%q is of user %q, due is the number %s", text, body.UserID, id)
			}
		case nil: // left out
		default:
			t.Errorf("%q was taken, with the id %v", text, id)
		}
	})
}
