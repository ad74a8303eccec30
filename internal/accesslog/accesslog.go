// Package accesslog writes a line for each request.
package accesslog

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Log writes the lines. It is safe for concurrent use.
type Log struct {
	log *slog.Logger
	key [32]byte
}

// New returns a Log that writes at level info. It returns nil for nil.
func New(log *slog.Logger) *Log {
	if log == nil {
		return nil
	}
	l := &Log{log: log}
	rand.Read(l.key[:]) // never fails
	return l
}

// Recorder is the ResponseWriter of one request that is logged.
type Recorder struct {
	http.ResponseWriter
	// Status is that of the answer.
	Status int
	bytes  int // of the body
	user   string
}

// Record returns a Recorder for a request.
func Record(w http.ResponseWriter) *Recorder {
	return &Recorder{ResponseWriter: w, Status: http.StatusOK}
}

// SetUser says which user sent the request of a ResponseWriter. It does nothing for one that is not a Recorder.
func SetUser(w http.ResponseWriter, user string) {
	if r, ok := w.(*Recorder); ok {
		r.user = user
	}
}

// Unwrap lets [http.ResponseController] find the ResponseWriter below.
func (r *Recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *Recorder) WriteHeader(status int) {
	r.Status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *Recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += n
	return n, err
}

// Request writes the line of a request that was answered. The path must have nothing that a client can choose freely: that
// could be a secret. For the same reason a method that HTTP does not define is called other.
func (l *Log) Request(rec *Recorder, id, method, path string, took time.Duration) {
	if !slices.Contains(methods, method) {
		method = "other"
	}
	if method == http.MethodHead {
		rec.bytes = 0 // net/http drops the body
	}
	user := ""
	if rec.user != "" {
		user = l.hash(rec.user)
	}
	l.log.LogAttrs(context.Background(), slog.LevelInfo, "request",
		slog.String("request", id), slog.String("method", method), slog.String("path", path), slog.Int("status", rec.Status),
		slog.Int("bytes", rec.bytes), slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("user", user))
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// hash returns a text that is the same for all requests of a user to this Log, and from which nobody without the key can
// tell the user. The key exists in memory only: after a restart, and on another node, the text is another one.
func (l *Log) hash(user string) string {
	sum := hmac.New(sha256.New, l.key[:])
	sum.Write([]byte(user))
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
