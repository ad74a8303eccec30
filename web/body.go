package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"sync"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/strictjson"
)

// maxBody is how many bytes a request's body may have.
const maxBody = 4096

// buffer is for one request's body, or for its answer.
type buffer = []byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// decode reads a JSON object from the request's body into value. Names are exact, fields
// that the value does not have are ignored, and a field that is null is as if left out.
func decode(r *http.Request, value strictjson.Fields) error {
	if kind := first(r.Header, "Content-Type"); kind != "application/json" {
		if kind, _, err := mime.ParseMediaType(kind); err != nil || kind != "application/json" {
			return errMediaType
		}
	}
	if r.ContentLength > maxBody {
		return errBodyTooLarge
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	body, err := readAll(r.Body, (*b)[:0])
	*b = body
	switch {
	case len(body) > maxBody:
		return errBodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errBodySlow
	case err != nil:
		return errJSON
	}
	return parse(body, value)
}

// parse reads a JSON object into value, which keeps none of the text's memory.
func parse(text []byte, value strictjson.Fields) error {
	if scanPlain(text, value) {
		return nil
	}
	return parseAny(text, value)
}

// readAll appends to b what there is to read, and stops when it is too much.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	b = slices.Grow(b, maxBody+1)
	for len(b) <= maxBody {
		n, err := r.Read(b[len(b) : maxBody+1])
		b = b[:len(b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// parseAny reads any JSON object, and reports what is wrong with it as the API's errors.
func parseAny(text []byte, value strictjson.Fields) error {
	err := strictjson.Decode(text, value)
	var wrong *strictjson.FieldError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strictjson.ErrDuplicate):
		return errJSONTwice
	case !errors.As(err, &wrong):
		return errJSON
	case wrong.Name == "seq":
		return presence.ErrSeqInvalid
	case wrong.Name == "known_version":
		return errVersion
	default:
		return errType
	}
}
