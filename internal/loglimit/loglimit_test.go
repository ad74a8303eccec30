package loglimit

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// buffer collects a log, and may be written and read at the same time.
type buffer struct {
	mu sync.Mutex
	strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

// take returns the lines that were written since the last call, without their times.
func (b *buffer) take() (lines []string) {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimSpace(line[strings.Index(line, "level="):]))
	}
	b.Reset()
	return lines
}

func expect(t *testing.T, b *buffer, want ...string) {
	t.Helper()
	if got := b.take(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("logged:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLinesOfOneKindAreWrittenOnceAMinuteWithTheNumberLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		log := New(slog.New(slog.NewTextHandler(&b, nil)))
		for i := range 100 {
			log.Error("failed", "code", "unavailable", "n", i)
		}
		log.Error("failed", "code", "broken")
		log.Error("failed", "code", "broken", "cause", "a fault")
		log.Warn("another message")
		expect(t, &b, "level=ERROR msg=failed code=unavailable n=0", "level=ERROR msg=failed code=broken", `level=ERROR msg=failed code=broken cause="a fault"`, `level=WARN msg="another message"`)
		time.Sleep(interval - time.Nanosecond)
		expect(t, &b)
		time.Sleep(time.Nanosecond)
		expect(t, &b, "level=ERROR msg=failed code=unavailable n=99 left_out=98")
		log.Error("failed", "code", "broken") // a minute after the last line of its kind
		log.Error("failed", "code", "unavailable", "n", 100)
		expect(t, &b, "level=ERROR msg=failed code=broken")
		time.Sleep(interval)
		expect(t, &b, "level=ERROR msg=failed code=unavailable n=100 left_out=0")
		time.Sleep(10 * interval)
		expect(t, &b)
		log.Error("failed", "code", "unavailable", "n", 101)
		expect(t, &b, "level=ERROR msg=failed code=unavailable n=101")
	})
}

func TestLinesBelowWarningAreAllWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		log := New(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})))
		for range 2 {
			log.Debug("rejected", "code", "x")
			log.Info("serving")
		}
		expect(t, &b, "level=DEBUG msg=rejected code=x", "level=INFO msg=serving", "level=DEBUG msg=rejected code=x", "level=INFO msg=serving")
	})
}

func TestDerivedLoggersShareTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		log := New(slog.New(slog.NewTextHandler(&b, nil)))
		if New(log) != log {
			t.Error("New returned another logger for one that it had returned")
		}
		log.With("node", 1).Error("failed")
		log.WithGroup("g").Error("failed", "n", 2)
		expect(t, &b, "level=ERROR msg=failed node=1")
		time.Sleep(interval)
		expect(t, &b, "level=ERROR msg=failed g.n=2 g.left_out=0")
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		log := New(slog.New(slog.NewTextHandler(&b, nil)))
		for i := range 10_000 {
			log.Error(fmt.Sprint("failed ", i))
		}
		l := log.Handler().(*handler).limiter
		held := func() int {
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.kinds)
		}
		if n := held(); n > maxKinds+1 {
			t.Errorf("%d kinds are held; want %d at most", n, maxKinds+1)
		}
		if n := len(b.take()); n != maxKinds+1 {
			t.Errorf("%d lines were written at once; want %d", n, maxKinds+1)
		}
		time.Sleep(2 * interval)
		synctest.Wait()
		if n := held(); n != 0 {
			t.Errorf("%d kinds are held after two minutes without a line; want 0", n)
		}
		if lines := b.take(); len(lines) != 1 || !strings.HasSuffix(lines[0], "left_out=9898") {
			t.Errorf("at the end of the minute %q was written; want one line with left_out=9898", lines)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buffer
		log := New(slog.New(slog.NewTextHandler(&b, nil)))
		var writers sync.WaitGroup
		for range 8 {
			writers.Go(func() {
				for range 100 {
					log.Error("failed")
					time.Sleep(time.Second)
				}
			})
		}
		writers.Wait()
		time.Sleep(interval)
		if n := len(b.take()); n != 3 {
			t.Errorf("of 800 lines in 100 s %d were written; want 3", n)
		}
	})
}
