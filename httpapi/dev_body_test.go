package httpapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/writer-presence/writer-presence/internal/wire"
)

func TestFieldNamesOfADevTokenRequestAreCaseSensitive(t *testing.T) {
	for _, body := range []string{`{"USERNAME":"x"}`, `{"uſername":"x"}`, `{"USER_ID":1}`, `{"User_Id":"x","Username":"y"}`} {
		var d devBody
		if err := wire.Decode([]byte(body), &d); err != nil || d != (devBody{}) {
			t.Errorf("%s decodes as %+v, %v, want it ignored", body, d, err)
		}
	}
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
		err := wire.Decode(text, &body)
		if err != nil {
			if err != wire.ErrJSON && err != wire.ErrDuplicateField && err != wire.ErrFieldType {
				t.Errorf("%q is the error %v", text, err)
			}
			return
		}
		var given struct {
			ID any `json:"user_id"`
		}
		if body.UserID == "" {
			return // encoding/json would accept USER_ID for user_id
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&given); err != nil {
			t.Fatalf("%q was taken, and is not JSON: %v", text, err)
		}
		switch id := given.ID.(type) {
		case string:
			if string(body.UserID) != id {
				t.Errorf("%q is of user %q, want %q", text, body.UserID, id)
			}
		case json.Number:
			if n, err := strconv.ParseInt(id.String(), 10, 64); err != nil || strconv.FormatInt(n, 10) != string(body.UserID) || string(body.UserID) != id.String() {
				t.Errorf("%q is of user %q, want the number %s", text, body.UserID, id)
			}
		case nil: // the field is missing
		default:
			t.Errorf("%q was taken, with the id %v", text, id)
		}
	})
}
