package redisstore

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/rueidis"
)

// markerTime is how long a marker is kept without a node that runs. When it expires, the nodes
// read all projects in use once.
const markerTime = 24 * time.Hour

// checkMarkers finds out whether Redis lost its data without breaking a connection, as FLUSHALL
// does: each node reads a key every second. Where the key is missing or another one, the rooms of
// its shard ask Redis again, and the script notices what they have lost. Not safe to call
// concurrently.
func (s *Store) checkMarkers(ctx context.Context) {
	var reads []rueidis.Completed
	for i := range s.probe.channels {
		reads = append(reads, s.client.B().Hget().Key(s.probe.channels[i].marker).Field("mark").Build())
	}
	for i, result := range s.client.DoMulti(ctx, reads...) {
		mark, err := result.ToString()
		c := &s.probe.channels[i]
		switch {
		case rueidis.IsRedisNil(err):
			s.writeMarker(ctx, c)
		case err != nil || mark == c.mark:
			continue
		default:
			c.mark, mark = mark, c.mark
			if mark == "" { // the first read
				continue
			}
		}
		for _, r := range s.held() {
			if s.probe.tellsOf(i, r.shard) {
				r.missed()
			}
		}
	}
}

func (s *Store) writeMarker(ctx context.Context, c *channel) {
	mark := rand.Text()
	err := s.client.Do(ctx, s.client.B().Hset().Key(c.marker).FieldValue().FieldValue("mark", mark).Build()).Error()
	if err == nil {
		c.mark = mark
		s.client.Do(ctx, s.client.B().Pexpire().Key(c.marker).Milliseconds(markerTime.Milliseconds()).Build())
	}
}
