package redisstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// The beginning of an outage is said, and its end, though nobody asks the node meanwhile; and
// that of the next one, though the last is not yet a minute ago.
func TestAnOutageIsSaidAndItsEndThoughNobodyAsks(t *testing.T) {
	t.Parallel()
	server, log := redistest.Start(t), &lines{}
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for outage := 1; outage <= 2; outage++ {
		server.Kill()
		until(t, "the log says that Redis does not answer", func() bool { return log.count("Redis does not answer") == outage })
		server.Run()
		until(t, "the log says that it answers again", func() bool { return log.count("Redis answers again") == outage })
	}
}

// An outage is not a line of log for each who asks; nor is one node of a cluster, while
// others answer.
func TestAnOutageIsSaidOnceAMinute(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	var log strings.Builder
	s, err := redisstore.Open(t.Context(), nodes[0].URL(), redisstore.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	known, unknown := 0, 0
	ask := func() {
		for i := range 60 {
			if _, err := s.Snapshot(t.Context(), presence.Project(fmt.Sprint(i))); err != nil {
				unknown++
			} else {
				known++
			}
		}
	}
	nodes[2].Kill()
	until(t, "others answer while one does not", func() bool { ask(); return known > 0 && unknown > 10 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("%d failures are %d lines of log:\n%s", unknown, lines, log.String())
	}
}
