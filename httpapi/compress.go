package httpapi

import (
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"weak"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/wire"
)

const (
	// compressAbove is the size in bytes above which an answer is compressed.
	compressAbove = 4 << 10
	// maxStored is the largest stored block of deflate, in bytes (RFC 1951, 3.2.4).
	maxStored = 1<<16 - 1
)

var varyEncoding = []string{"Accept-Encoding"}

// addVary adds Accept-Encoding to Vary.
func addVary(h http.Header) {
	if others := h["Vary"]; len(others) > 0 {
		h["Vary"] = []string{strings.Join(others, ", ") + ", " + varyEncoding[0]}
		return
	}
	h["Vary"] = varyEncoding // shared; its capacity is used up, so Add copies it
}

// acceptsGzip reports whether Accept-Encoding prefers gzip (RFC 9110, 12.5.3): it is accepted, and
// identity is not listed with a greater weight.
func acceptsGzip(lines []string) bool {
	gzip, identity, other := -1, -1, 0 // in thousandths
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			coding, weight, weighted := strings.Cut(part, ";")
			q := 1000
			if weighted {
				q = parseWeight(weight)
			}
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip":
				gzip = max(gzip, q)
			case "identity":
				identity = q
			case "*":
				other = q
			}
		}
	}
	if gzip < 0 {
		gzip = other
	}
	return gzip > 0 && gzip >= identity
}

// parseWeight returns a weight such as "q=0.5" in thousandths, 0 for an invalid one.
func parseWeight(s string) int {
	name, value, _ := strings.Cut(strings.TrimSpace(s), "=")
	q, err := strconv.ParseFloat(value, 64)
	if !strings.EqualFold(name, "q") || err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return int(q * 1000)
}

// compressor compresses large answers. It compresses the list of a snapshot once, and caches the result until
// the snapshot is garbage collected. It is safe for concurrent use.
type compressor struct {
	// slots bounds the concurrent compressions. Without a free slot an answer is sent uncompressed.
	slots   chan struct{}
	writers sync.Pool
	lists   sync.Map // from weak.Pointer[presence.Snapshot] to *compressedList
}

type compressedList struct {
	mu       sync.Mutex
	deflated []byte // nil before the list is compressed
}

func newCompressor() *compressor {
	return &compressor{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// deflate compresses text into complete deflate blocks, none of them marked as final. It returns nil if no slot
// is free.
func (c *compressor) deflate(text []byte) []byte {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return nil
	}
	out := appender(make([]byte, 0, len(text)/8))
	w, ok := c.writers.Get().(*flate.Writer)
	if ok {
		w.Reset(&out)
	} else {
		w, _ = flate.NewWriter(&out, flate.BestSpeed) // fails for invalid levels only
	}
	_, _ = w.Write(text) // an appender never fails
	w.Flush()
	w.Reset(nil)
	c.writers.Put(w)
	return out
}

// list returns the compressed list of a snapshot, nil if no slot is free.
func (c *compressor) list(s *presence.Snapshot) []byte {
	key := weak.Make(s)
	v, ok := c.lists.Load(key)
	if !ok {
		if v, ok = c.lists.LoadOrStore(key, &compressedList{}); !ok {
			runtime.AddCleanup(s, func(key weak.Pointer[presence.Snapshot]) { c.lists.Delete(key) }, key)
		}
	}
	list := v.(*compressedList)
	list.mu.Lock()
	defer list.mu.Unlock()
	if list.deflated == nil {
		list.deflated = c.deflate(wire.List(s))
	}
	return list.deflated
}

type appender []byte

func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}

// appendStored appends text to a deflate stream in stored blocks.
func appendStored(b, text []byte) []byte {
	for part := range slices.Chunk(text, maxStored) {
		b = append(b, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(part)))
		b = binary.LittleEndian.AppendUint16(b, ^uint16(len(part)))
		b = append(b, part...)
	}
	return b
}

// gzip returns an answer in gzip format (RFC 1952) in three parts: before the list of a snapshot, the list, and
// after it. All are nil if no slot is free. Head and tail differ for each answer and are usually short, so they
// are stored, not compressed.
func (c *compressor) gzip(head, tail []byte, snapshot *presence.Snapshot) (before, list, after []byte) {
	before = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
	sum, size := crc32.ChecksumIEEE(head), len(head)
	if len(head) > compressAbove { // it has many conflicts
		deflated := c.deflate(head)
		if deflated == nil {
			return nil, nil, nil
		}
		before = append(before, deflated...)
	} else {
		before = appendStored(before, head)
	}
	if snapshot != nil {
		if list = c.list(snapshot); list == nil {
			return nil, nil, nil
		}
		text := wire.List(snapshot)
		sum, size = crc32.Update(sum, crc32.IEEETable, text), size+len(text)
	}
	sum, size = crc32.Update(sum, crc32.IEEETable, tail), size+len(tail)
	after = appendStored(nil, tail)
	after = append(after, 1, 0, 0, 0xff, 0xff) // empty final block
	after = binary.LittleEndian.AppendUint32(after, sum)
	return before, list, binary.LittleEndian.AppendUint32(after, uint32(size))
}

// respondWithList sends b, with the list of the snapshot inserted at the index unless snapshot is nil. A large
// answer is compressed if the client prefers that. The shared list is written without a copy, so a slow client
// needs no memory for it.
func (h *Handler) respondWithList(w http.ResponseWriter, r *http.Request, b *buffer, at int, snapshot *presence.Snapshot) int {
	var users []byte
	if snapshot != nil {
		users = wire.List(snapshot)
	}
	if len(*b)+len(users) <= compressAbove {
		*b = slices.Insert(*b, at, users...)
		return respond(w, http.StatusOK, *b)
	}
	header := w.Header()
	if r.Method == http.MethodPost { // list has set it already
		addVary(header)
	}
	head, tail := (*b)[:at], (*b)[at:]
	if acceptsGzip(r.Header["Accept-Encoding"]) {
		if before, list, after := h.compress.gzip(head, tail, snapshot); before != nil {
			header["Content-Encoding"] = []string{"gzip"}
			head, users, tail = before, list, after
		}
	}
	return respond(w, http.StatusOK, head, users, tail)
}
