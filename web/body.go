package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	presence "writer-presence"
)

// maxBody is how many bytes a request's body may have.
const maxBody = 4096

// buffer is for one request's body, or for its answer.
type buffer = []byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// decode reads a JSON object from the request. Fields that the value does not have
// are ignored, and a field that is null is as if it were left out.
// A plain body may be read by the quick way of scanPlain; plain is nil if there is none.
func decode(r *http.Request, value any, plain func(name, value []byte) bool) error {
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
	return parse(body, value, plain)
}

// parse reads a JSON object, of which nothing is kept that is not copied.
func parse(text []byte, value any, plain func(name, value []byte) bool) error {
	if plain != nil && scanPlain(text, plain) {
		return nil
	}
	return unmarshal(text, value)
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

func unmarshal(body []byte, value any) error {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errJSON
	}
	err := json.Unmarshal(body, value)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return errJSON
	case strings.HasSuffix(wrong.Field, "seq"): // it may be in an embedded struct
		return presence.ErrSeqInvalid
	case strings.HasSuffix(wrong.Field, "known_version"):
		return errVersion
	default:
		return errType
	}
}
