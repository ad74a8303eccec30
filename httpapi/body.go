package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/writer-presence/writer-presence/internal/strictjson"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// buffer holds the body of a request or of its answer.
type buffer = []byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// decodeBody decodes the JSON body of a request into value; see [wire.Decode].
func decodeBody(r *http.Request, value strictjson.Fields) error {
	if kind := first(r.Header, "Content-Type"); kind != "application/json" {
		if kind, _, err := mime.ParseMediaType(kind); err != nil || kind != "application/json" {
			return wire.ErrMediaType
		}
	}
	if r.ContentLength > wire.MaxBody {
		return wire.ErrBodyTooLarge
	}
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	body, err := readAll(r.Body, (*b)[:0])
	*b = body
	switch {
	case len(body) > wire.MaxBody:
		return wire.ErrBodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return wire.ErrBodySlow
	case err != nil:
		return wire.ErrJSON
	}
	return wire.Decode(body, value)
}

// readAll appends a body to b. It reads at most one byte more than MaxBody, which shows that it is too large.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	b = slices.Grow(b, wire.MaxBody+1)
	for len(b) <= wire.MaxBody {
		n, err := r.Read(b[len(b) : wire.MaxBody+1])
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
