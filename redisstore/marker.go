package redisstore

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/rueidis"
)

// markerTime is how long Redis keeps a marker after a node wrote it. Reads do not extend it. When it
// expires, the first node to notice writes a new one, and every node asks Redis again once about
// the projects that it has cached.
const markerTime = 24 * time.Hour

// checkMarkers detects that Redis lost its data while the connections stayed open, as after FLUSHALL.
// Each node reads the marker of each shard every second. If a marker is missing or has changed, the
// cached projects of its shard ask Redis again, and the scripts detect a loss. It is not safe to call
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
		s.invalidateShard(i)
	}
}

// writeMarker writes a new marker. If Redis does not answer, the next check tries again.
func (s *Store) writeMarker(ctx context.Context, c *probeChannel) {
	mark := rand.Text()
	err := s.client.Do(ctx, s.client.B().Hset().Key(c.marker).FieldValue().FieldValue("mark", mark).Build()).Error()
	if err == nil {
		c.mark = mark
		s.client.Do(ctx, s.client.B().Pexpire().Key(c.marker).Milliseconds(markerTime.Milliseconds()).Build())
	}
}
