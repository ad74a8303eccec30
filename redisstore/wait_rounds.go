package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

const (
	// waitTime is how long a change waits until it is durable. A later change is kept, and its reply
	// says durable: false.
	waitTime = 2 * time.Second
	// recheckTime is the wait of a round that only renewals asked for. It is short because a change
	// that arrives meanwhile waits for the next round.
	recheckTime = 500 * time.Millisecond
	// maxRechecks bounds the rounds that renewals start at the same time: each takes a connection.
	maxRechecks = 8
)

// group batches the changes of one slot, or of one server: one round runs, and the changes that
// arrive meanwhile share the next one.
type group struct {
	running bool
	next    *round
	// unconfirmed says that some change is not known to be durable. Renewals say durable: false until
	// a round succeeds that began after doubts was last raised.
	unconfirmed bool
	doubts      int
}

// round is one WAIT or WAITAOF for the changes that joined it.
type round struct {
	mark    string            // the key that it writes, on the server that it asks
	within  time.Duration     // how long Redis may take
	keys    map[string]uint64 // the projects that changed; once done is closed, the clocks of their rosters
	done    chan struct{}
	durable bool // once done is closed
}

// newRound makes a round that no change has joined yet.
func newRound(mark string) *round {
	return &round{mark: mark, within: recheckTime, keys: map[string]uint64{}, done: make(chan struct{})}
}

// join returns the group's next round, which begins after this call, for a change of a project.
func (d *durability) join(slot int, mark, key string) *round {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.group(slot)
	if g.next == nil {
		g.next = newRound(mark)
	}
	g.next.within = waitTime
	g.next.keys[key] = 0
	if !g.running {
		g.running = true
		go d.run(slot, g)
	}
	return g.next
}

// renewed reports whether the changes before a renewal are durable as far as is known. If not, it
// starts a round that asks again, and does not wait for it.
func (d *durability) renewed(slot int, mark string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.groups[slot]
	if g == nil || !g.unconfirmed {
		return true
	}
	if !g.running && d.rechecks < maxRechecks {
		g.running = true
		d.rechecks++
		g.next = newRound(mark)
		go func() {
			d.run(slot, g)
			d.mu.Lock()
			defer d.mu.Unlock()
			d.rechecks--
		}()
	}
	return false
}

// doubt has renewals say durable: false until a later round succeeds.
func (d *durability) doubt(slot int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.group(slot)
	g.unconfirmed = true
	g.doubts++
}

// group finds or makes the group of a slot. The caller holds d.mu.
func (d *durability) group(slot int) *group {
	g := d.groups[slot]
	if g == nil {
		g = &group{}
		d.groups[slot] = g
	}
	return g
}

// run runs the rounds of a group until none is asked for.
func (d *durability) run(slot int, g *group) {
	for {
		d.mu.Lock()
		r, doubts := g.next, g.doubts
		g.next = nil
		if r == nil {
			g.running = false
			if !g.unconfirmed {
				delete(d.groups, slot)
			}
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), r.within+time.Second)
		err := d.ask(ctx, r)
		cancel()
		d.outage.note(err)
		d.mu.Lock()
		switch {
		case !r.durable:
			g.unconfirmed = true
		case g.doubts == doubts:
			g.unconfirmed = false
		}
		d.mu.Unlock()
		close(r.done)
	}
}

// ask writes the mark of a round on a connection of its own, reads the clocks of the projects that
// changed, and waits until the mark is durable. Redis replicates and persists writes in order, so all
// writes before the mark on that server are durable then, too.
func (d *durability) ask(ctx context.Context, r *round) (err error) {
	c, release := d.client.Dedicate()
	defer func() {
		if err != nil {
			c.Close()
		} else {
			release()
		}
	}()
	commands := rueidis.Commands{
		c.B().Hset().Key(r.mark).FieldValue().FieldValue("mark", rand.Text()).Build(),
		c.B().Pexpire().Key(r.mark).Milliseconds(time.Minute.Milliseconds()).Build(),
	}
	keys := slices.Collect(maps.Keys(r.keys))
	for _, key := range keys {
		commands = append(commands, c.B().Hget().Key(key).Field("roster").Build())
	}
	if d.mode == durableInFile {
		commands = append(commands, c.B().Waitaof().Numlocal(1).Numreplicas(0).Timeout(r.within.Milliseconds()).Build())
	} else {
		commands = append(commands, c.B().Wait().Numreplicas(d.replicas).Timeout(r.within.Milliseconds()).Build())
	}
	results := c.DoMulti(ctx, commands...)
	for _, result := range results {
		if e := result.Error(); !rueidis.IsRedisNil(e) { // a roster that the server lacks
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return err
	}
	for i, key := range keys {
		packed, _ := results[2+i].AsBytes()
		r.keys[key] = clockOf(packed)
	}
	waited := results[len(results)-1]
	if d.mode == durableInFile {
		counts, err := waited.AsIntSlice()
		r.durable = err == nil && len(counts) == 2 && counts[0] >= 1
		return err
	}
	n, err := waited.AsInt64()
	r.durable = err == nil && n >= d.replicas
	return err
}

// clockOf reads the clock from the field roster; see read.lua. It is 0 where there is no roster.
func clockOf(roster []byte) uint64 {
	if len(roster) < 16 {
		return 0
	}
	return uint64(math.Float64frombits(binary.BigEndian.Uint64(roster[8:])))
}
