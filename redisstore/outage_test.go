package redisstore_test

import (
	"fmt"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// Each outage is logged at its beginning and end, even if it begins within a minute after another one.
func TestOutagesAreLoggedWithoutTraffic(t *testing.T) {
	t.Parallel()
	server, log := redistest.Start(t), &logBuffer{}
	openWith(t, server.URL(), redisstore.Options{Log: log.logger()})
	for outage := 1; outage <= 2; outage++ {
		server.Kill()
		until(t, "the log has the beginning of the outage", func() bool { return log.count("Redis does not answer") == outage })
		server.Run()
		until(t, "the log has the end of the outage", func() bool { return log.count("Redis answers again") == outage })
	}
}

// An outage of one server of a cluster is logged once, even though other servers answer meanwhile.
func TestOutageIsLoggedOnceAMinute(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	log := &logBuffer{}
	s := redistest.OpenStore(t, nodes[0].URL(), redisstore.Options{Log: log.logger()})
	answered, failed := 0, 0
	ask := func() {
		for i := range 60 {
			if _, err := s.Snapshot(t.Context(), presence.Project(fmt.Sprint(i))); err != nil {
				failed++
			} else {
				answered++
			}
		}
	}
	nodes[2].Kill()
	until(t, "some calls are answered and others fail", func() bool { ask(); return answered > 0 && failed > 10 })
	closeStore(s)
	if lines := log.count("\n"); lines != 1 {
		t.Errorf("%d failures are %d log lines; want 1:\n%s", failed, lines, log.text.String())
	}
}
