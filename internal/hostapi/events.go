package hostapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/wire"
)

const (
	// maxListeners is how many requests for events are served at a time.
	maxListeners = 16
	// pollInterval is how often the log of events is read for a listener.
	pollInterval = 500 * time.Millisecond
	// commentInterval is how often a listener gets a comment, so that proxies keep the connection and both sides notice
	// that it is broken.
	commentInterval = 15 * time.Second
	// listenerTimeout is how long a listener may take to read what was sent.
	listenerTimeout = 10 * time.Second
	// eventsPage is how many events are read at a time.
	eventsPage = 500
)

// events answers GET events: server-sent events from the log, until the listener goes away, its key is removed or the
// server ends. It takes over the connection, whose other answers have to end in time.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		h.fail(w, r, wire.ErrMethod)
		return
	}
	select {
	case h.listeners <- struct{}{}:
		defer func() { <-h.listeners }()
	default:
		h.fail(w, r, wire.ErrTooManyListeners)
		return
	}
	after := r.Header.Get("Last-Event-ID")
	page, next, known, err := h.o.Events.Events(r.Context(), after, eventsPage)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		h.fail(w, r, err)
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	go func() { // until the listener goes away, or conn is closed
		defer cancel()
		io.Copy(io.Discard, buffered)
	}()
	l := &listener{Conn: conn, at: after}
	header := w.Header() // with those of all answers
	for name, value := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff", "Connection": "close",
	} {
		header.Set(name, value)
	}
	var head strings.Builder
	_ = header.Write(&head) // to memory, so without an error
	l.write("HTTP/1.1 200 OK\r\n" + head.String() + "\r\n")
	l.write("retry: 1000\n: events follow\n\n")
	h.stream(ctx, l, r, page, next, known)
}

// stream sends a page of events, and those that follow.
func (h *Handler) stream(ctx context.Context, l *listener, r *http.Request, page []presence.LoggedEvent, next string, known bool) {
	poll, comment := time.NewTicker(pollInterval), time.NewTicker(commentInterval)
	defer poll.Stop()
	defer comment.Stop()
	for ending := false; ; {
		l.send(page, next, known)
		if l.failed != nil || ending {
			return
		}
		if len(page) < eventsPage {
			select {
			case <-poll.C:
			case <-comment.C:
				l.write(": \n\n")
			case <-ctx.Done():
				return
			case <-h.o.Ending:
				ending = true // after what was added until now
			}
		}
		if !h.accepts(r) {
			return
		}
		newer, end, stillKnown, err := h.o.Events.Events(ctx, l.at, eventsPage)
		if err != nil { // what follows is sent once the store answers
			page, known = nil, true
			if ctx.Err() == nil {
				h.o.Log.Error("could not read the log of events for a listener, who gets them once the store answers", "error", err)
			}
			continue
		}
		page, next, known = newer, end, stillKnown
	}
}

// listener is a connection that gets events. After a write has failed it does nothing.
type listener struct {
	net.Conn
	at     string // the id in the log that was sent last
	failed error
}

// send sends a page of events, with an event of type gap before it if events are missing. The id of an entry is what the
// listener sends as Last-Event-ID.
func (l *listener) send(page []presence.LoggedEvent, next string, known bool) {
	var b bytes.Buffer
	if !known {
		b.WriteString("event: gap\ndata: {}\n\n")
	}
	for _, e := range page {
		fmt.Fprintf(&b, "id: %s\ndata: %s\n\n", e.ID, e.Data)
	}
	if len(page) == 0 && next != l.at { // where to continue, also before the first event
		fmt.Fprintf(&b, "id: %s\n\n", next)
	}
	l.at = next
	l.write(b.String())
}

func (l *listener) write(text string) {
	if l.failed != nil || text == "" {
		return
	}
	l.SetWriteDeadline(time.Now().Add(listenerTimeout))
	_, l.failed = io.WriteString(l.Conn, text)
}
