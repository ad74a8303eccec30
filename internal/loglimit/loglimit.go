// Package loglimit keeps failures that repeat from flooding the log.
package loglimit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// Every is how far apart two lines of one kind are at least.
	Every = time.Minute
	// maxKinds bounds the kinds of lines that are limited separately; above it, further
	// kinds share one limit.
	maxKinds = 100
)

// New returns a logger that writes to log, but warnings and errors of one kind at most once
// a minute. Lines are of one kind if they have the same message and the same values of the
// attributes "code" and "cause". The first line is written at once; of those that follow within the
// minute, the last one is written at its end, with the number of the others as "left_out".
// Lines below the level of a warning are all written.
func New(log *slog.Logger) *slog.Logger {
	if _, ok := log.Handler().(*handler); ok {
		return log
	}
	return slog.New(&handler{log.Handler(), &limiter{kinds: map[string]*kind{}}})
}

// handler is a slog.Handler in front of another one.
type handler struct {
	next    slog.Handler
	limiter *limiter
}

// limiter is shared by a handler and those that WithAttrs and WithGroup make of it.
type limiter struct {
	mu    sync.Mutex
	kinds map[string]*kind // those of which a line was written within the last minute
}

// kind is what was not written of one kind of line since the last one that was.
type kind struct {
	count int
	last  slog.Record
	next  slog.Handler // for the last
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
	if r.Level < slog.LevelWarn || h.limiter.begins(h.next, r) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// begins reports whether the record is the first of its kind within the minute. It keeps
// the record otherwise.
func (l *limiter) begins(next slog.Handler, r slog.Record) bool {
	name := kindOf(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds[name] == nil && len(l.kinds) >= maxKinds {
		name = "" // no record has an empty kind
	}
	k := l.kinds[name]
	if k == nil {
		l.kinds[name] = &kind{}
		time.AfterFunc(Every, func() { l.endMinute(name) })
		return true
	}
	k.count, k.last, k.next = k.count+1, r.Clone(), next
	return false
}

// endMinute writes the last record of a kind that was kept, and begins another minute. If
// none was kept, the kind is forgotten.
func (l *limiter) endMinute(name string) {
	l.mu.Lock()
	k := l.kinds[name]
	if k.count == 0 {
		delete(l.kinds, name)
	} else {
		l.kinds[name] = &kind{}
		time.AfterFunc(Every, func() { l.endMinute(name) })
	}
	l.mu.Unlock()
	if k.count > 0 {
		k.last.AddAttrs(slog.Int("left_out", k.count-1))
		_ = k.next.Handle(context.Background(), k.last) // nobody is there to be told of an error
	}
}

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
