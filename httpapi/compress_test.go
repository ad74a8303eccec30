package httpapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestAcceptEncodingWeightsDecideOnGzip(t *testing.T) {
	for _, c := range []struct {
		accept string
		want   bool
	}{
		{"", false}, {"gzip", true}, {"GZIP", true}, {"x-gzip", true}, {"gzip, deflate, br, zstd", true}, {"br;q=1.0, gzip;q=0.8, *;q=0.1", true},
		{"gzip;q=0", false}, {"gzip;q=0.000", false}, {"gzip ; Q=0.001", true}, {"gzip;q=1.000", true}, {"*", true}, {"*;q=0", false},
		{"*;q=0, gzip", true}, {"gzip;q=0, *", false}, {"identity", false}, {"identity, gzip", true}, {"identity;q=1, gzip;q=0.5", false},
		{"identity;q=0.5, gzip;q=0.5", true}, {"identity;q=0", false}, {"identity;q=0, *", true}, {"br", false}, {"gzipped", false},
		{"gzip;q=2", false}, {"gzip;q=-1", false}, {"gzip;q=NaN", false}, {"gzip;level=9", false}, {"gzip;q=", false}, {", ,gzip", true},
	} {
		if got := acceptsGzip([]string{c.accept}); got != c.want {
			t.Errorf("Accept-Encoding: %q: gzip is accepted: %t, want %t", c.accept, got, c.want)
		}
	}
	if !acceptsGzip([]string{"br", "gzip"}) || acceptsGzip(nil) {
		t.Error("Accept-Encoding in two lines, or in none, was read wrong")
	}
}

// snapshotOf returns a snapshot of n users.
func snapshotOf(n int) *presence.Snapshot {
	var all []*presence.Occupant
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for i := range n {
		section := presence.Section(fmt.Sprintf("manuscript/chapter-%d", i*7919%97))
		all = append(all, &presence.Occupant{
			User:     presence.User{ID: presence.UserID(strconv.Itoa(i * 7919 % 100_003)), Name: fmt.Sprintf("Person %x", i*2654435761%1_000_003)},
			Section:  section,
			Activity: presence.Editing, Sections: []presence.Section{section}, Editing: []presence.Section{section},
			LastSeen: at.Add(time.Duration(i*7919%30) * time.Second),
		})
	}
	return &presence.Snapshot{Version: 1762189200000, Occupants: all, Count: n}
}

// responseOf returns the response that answers a list or an update with this head.
func responseOf(s *Handler, method, accept, head string, snapshot *presence.Snapshot) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	w := httptest.NewRecorder()
	b := []byte(head + "}")
	s.respondWithList(w, r, &b, len(head), snapshot)
	return w
}

func TestDecompressedResponseEqualsThePlainOne(t *testing.T) {
	s := &Handler{compress: newCompressor()}
	heads := []int{0, 1, 200, compressAbove - 3, compressAbove - 2, compressAbove - 1, compressAbove, compressAbove + 1, maxStored - 1, maxStored, maxStored + 1, 3 * maxStored}
	for _, people := range []int{-1, 0, 1, 10, 13, 14, 15, 16, 17, 18, 19, 20, 100, 1000} {
		var snapshot *presence.Snapshot
		if people >= 0 {
			snapshot = snapshotOf(people)
		}
		for _, size := range heads {
			head := strings.Repeat("h€", size)[:size]
			plain := responseOf(s, http.MethodPost, "", head, snapshot)
			packed := responseOf(s, http.MethodPost, "gzip", head, snapshot)
			large := plain.Body.Len() > compressAbove
			if got := packed.Header().Get("Content-Encoding"); (got == "gzip") != large || plain.Header().Get("Content-Encoding") != "" {
				t.Fatalf("%d people, head of %d bytes: a response of %d bytes is encoded %q", people, size, plain.Body.Len(), got)
			}
			for _, w := range []*httptest.ResponseRecorder{plain, packed} {
				if length := w.Header().Get("Content-Length"); w.Body.Len() > 2048 && length != strconv.Itoa(w.Body.Len()) {
					t.Errorf("%d people, head of %d bytes: Content-Length %q of %d bytes", people, size, length, w.Body.Len())
				}
				if vary := w.Header().Get("Vary"); large != (vary == "Accept-Encoding") {
					t.Errorf("%d people, head of %d bytes: Vary is %q", people, size, vary)
				}
			}
			got := packed.Body.Bytes()
			if large {
				r, err := gzip.NewReader(packed.Body)
				if err != nil {
					t.Fatal(err)
				}
				if got, err = io.ReadAll(r); err != nil {
					t.Fatalf("%d people, head of %d bytes: %v", people, size, err)
				}
			}
			if !bytes.Equal(got, plain.Body.Bytes()) {
				t.Fatalf("%d people, head of %d bytes: decompressed it is another answer", people, size)
			}
		}
	}
}

func TestListIsCompressedOnceForEachSnapshot(t *testing.T) {
	s := &Handler{compress: newCompressor()}
	snapshot := snapshotOf(100)
	first := s.compress.list(snapshot)
	s.compress.slots = nil // no slot is free
	if again := s.compress.list(snapshot); len(first) == 0 || &again[0] != &first[0] {
		t.Error("the list of the same snapshot was compressed twice")
	}
	w := responseOf(s, http.MethodPost, "gzip", "", snapshotOf(200))
	if w.Header().Get("Content-Encoding") != "" || w.Body.Len() < 10_000 {
		t.Errorf("without a free slot there came %d bytes, encoded %q, want the plain response", w.Body.Len(), w.Header().Get("Content-Encoding"))
	}
	runtime.KeepAlive(snapshot)
	for deadline := time.Now().Add(10 * time.Second); ; {
		runtime.GC()
		kept := 0
		s.compress.lists.Range(func(any, any) bool { kept++; return true })
		if kept == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d compressed lists outlive their snapshots", kept)
		}
		runtime.Gosched()
	}
}

// discard is a ResponseWriter that discards the body.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func TestSmallResponseNeedsNoAllocationForCompression(t *testing.T) {
	s := &Handler{compress: newCompressor()}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip, br")
	snapshot, w, b := snapshotOf(10), discard{}, make([]byte, 0, compressAbove)
	head := []byte(`{"success":true,"users":`)
	if n := testing.AllocsPerRun(100, func() {
		b = append(append(b[:0], head...), '}')
		s.respondWithList(w, r, &b, len(head), snapshot)
	}); n > 2 { // both for Content-Length
		t.Errorf("a response with 10 people makes %v allocations, want 2", n)
	}
}

func BenchmarkAnswer(b *testing.B) {
	s := &Handler{compress: newCompressor()}
	head := []byte(`{"success":true,"version":1762189200000,"users":`)
	for _, people := range []int{10, 100, 1000} {
		for name, accept := range map[string]string{"plain": "", "gzip": "gzip"} {
			snapshot := snapshotOf(people)
			for _, again := range []bool{true, false} {
				b.Run(fmt.Sprintf("%d-%s-again-%t", people, name, again), func(b *testing.B) {
					r := httptest.NewRequest(http.MethodPost, "/", nil)
					r.Header.Set("Accept-Encoding", accept)
					w, buf := discard{}, make([]byte, 0, compressAbove)
					for b.Loop() {
						if !again {
							s.compress.lists.Clear()
						}
						buf = append(append(buf[:0], head...), '}')
						w["Vary"] = nil
						s.respondWithList(w, r, &buf, len(head), snapshot)
					}
					if length := w["Content-Length"]; length != nil {
						n, _ := strconv.Atoi(length[0])
						b.ReportMetric(float64(n), "bytes")
					}
				})
			}
		}
	}
}
