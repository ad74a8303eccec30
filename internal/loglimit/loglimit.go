// Package loglimit limits how often a warning or an error that repeats is logged.
package loglimit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// interval is the shortest time between two lines of one kind.
	interval = time.Minute
	// maxKinds bounds the kinds of lines that are limited separately; the kinds beyond it share one limit.
	maxKinds = 100
)

// New returns a logger that writes to log, but warnings and errors of one kind at most once a minute. Lines are of one
// kind if they have the same message and the same values of the attributes "code" and "cause". The first line is written
// at once; of those that follow within the minute, the last one is written at the end of the minute, with the number of the
// others as "left_out". Lines below the level of a warning are all written. A logger that New returned is returned as it is.
func New(log *slog.Logger) *slog.Logger {
	if _, ok := log.Handler().(*handler); ok {
		return log
	}
	return slog.New(&handler{log.Handler(), &limiter{kinds: map[string]*kind{}}})
}

// handler passes records to another handler, except those that the limiter keeps.
type handler struct {
	next    slog.Handler
	limiter *limiter
}

// limiter is shared by a handler and the handlers that WithAttrs and WithGroup derive from it.
type limiter struct {
	mu    sync.Mutex
	kinds map[string]*kind // the kinds with a line in the last minute
}

// kind has the records of one kind that were not written in this minute.
type kind struct {
	count int
	last  slog.Record
	next  slog.Handler // the handler that last goes to
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.next.WithAttrs(attrs), h.limiter}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.next.WithGroup(name), h.limiter}
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn || h.limiter.allow(h.next, r) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// allow reports whether the record is the first of its kind within the minute. Otherwise it keeps the record for endMinute.
func (l *limiter) allow(next slog.Handler, r slog.Record) bool {
	name := kindOf(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds[name] == nil && len(l.kinds) >= maxKinds {
		name = "" // the shared kind: kindOf returns no empty text
	}
	k := l.kinds[name]
	if k == nil {
		l.kinds[name] = &kind{}
		time.AfterFunc(interval, func() { l.endMinute(name) })
		return true
	}
	k.count, k.last, k.next = k.count+1, r.Clone(), next
	return false
}

// endMinute writes the last record of a kind that was kept, and starts another minute. If none was kept, it deletes the
// kind.
func (l *limiter) endMinute(name string) {
	l.mu.Lock()
	k := l.kinds[name]
	if k.count == 0 {
		delete(l.kinds, name)
	} else {
		l.kinds[name] = &kind{}
		time.AfterFunc(interval, func() { l.endMinute(name) })
	}
	l.mu.Unlock()
	if k.count > 0 {
		k.last.AddAttrs(slog.Int("left_out", k.count-1))
		_ = k.next.Handle(context.Background(), k.last) // the caller that could handle an error has returned
	}
}

// kindOf returns the text that lines of one kind have in common.
func kindOf(r slog.Record) string {
	name := r.Message + "\n"
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "code" || a.Key == "cause" {
			name += a.Value.String() + "\n"
		}
		return true
	})
	return name
}
