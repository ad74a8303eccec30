package announce

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/wire"
)

// delivery delivers the events of a claimed project to its streams. Only its goroutines may be concurrent.
type delivery struct {
	*claim
	states    states
	streams   []*stream
	delivered chan result
	settled   bool // every stream had got, or was getting, all that the newest view shows
}

// states is the State of an announcement: how far each stream is. A process without a receiver for a stream leaves its
// state as it is.
type states struct{ Log, Sent *state }

// state is where the events of a stream lead to, and those that may not have been delivered.
type state struct {
	State  presence.EventState
	Outbox []presence.Event `json:",omitempty"`
}

// stream is one destination of a project's events: the log or webhooks. Each has a state of its own, so that a receiver
// of webhooks that is down delays no listener of the log.
type stream struct {
	*state
	deliver    func(context.Context, []presence.Event) error
	delivering bool
}

// result is what delivering the outbox of a stream returned.
type result struct {
	*stream
	err error
}

// newDelivery continues from the State of an announcement, for the streams that have a receiver in this process.
func newDelivery(a *Announcer, c *claim, announced []byte) (*delivery, error) {
	d := &delivery{claim: c}
	if announced != nil {
		if err := json.Unmarshal(announced, &d.states); err != nil {
			return nil, fmt.Errorf("cannot read what was announced: %w", err)
		}
	}
	if a.o.LogEvents {
		d.add(&d.states.Log, a.appendLog)
	}
	if a.o.Send != nil {
		d.add(&d.states.Sent, a.o.Send)
	}
	d.delivered = make(chan result, len(d.streams))
	return d, nil
}

func (d *delivery) add(s **state, deliver func(context.Context, []presence.Event) error) {
	if *s == nil {
		*s = &state{}
	}
	d.streams = append(d.streams, &stream{state: *s, deliver: deliver})
}

// appendLog adds events to the log of the store.
func (a *Announcer) appendLog(ctx context.Context, events []presence.Event) error {
	data := make([][]byte, len(events))
	for i, e := range events {
		data[i] = wire.AppendEvent(nil, e)
	}
	return a.o.Store.AppendEvents(ctx, data)
}

// storeStates stores how far the streams are, and the version of the project that all of them have got, 0 if one has not.
func (d *delivery) storeStates(version uint64) (ok bool, err error) {
	text, err := json.Marshal(d.states)
	if err != nil {
		return false, err
	}
	occupied := false
	for _, s := range d.streams {
		occupied = occupied || !s.State.IsEmpty()
	}
	return d.announce(presence.Announcement{Version: version, Occupied: occupied, State: text})
}

// start starts to deliver the outboxes that are not being delivered.
func (d *delivery) start() {
	for _, s := range d.streams {
		if !s.delivering && len(s.Outbox) > 0 {
			s.delivering = true
			d.delivering.Go(func() { d.delivered <- result{s, s.deliver(d, s.Outbox)} })
		}
	}
}

// finish must be called with each element of delivered. It returns the error of the delivery.
func (d *delivery) finish(r result) error {
	if r.delivering = false; r.err == nil {
		r.Outbox = nil
	}
	return r.err
}

// underWay returns the number of streams whose outbox is being delivered.
func (d *delivery) underWay() (n int) {
	for _, s := range d.streams {
		if s.delivering {
			n++
		}
	}
	return n
}

// fail returns an error once the deliveries under way have ended, so that none of them is repeated because of it.
func (d *delivery) fail(err error) (bool, error) {
	for d.underWay() > 0 {
		_ = d.finish(<-d.delivered)
	}
	_, _ = d.storeStates(0)
	return false, err
}

// advance makes a view the state of the streams that need no event for it. It returns false if one needs an event, or
// may.
func (d *delivery) advance(v *presence.EventView) (all bool) {
	all = true
	for _, s := range d.streams {
		next, events, settled := s.State.Next(d.project, v, v, time.Now())
		if !settled || len(events) > 0 || !maps.Equal(next.Sections, s.State.Sections) {
			all = false
			continue
		}
		s.State = next
	}
	return all
}

// next starts to deliver what two views agree on, to the streams with nothing under way. The others get the difference to
// a later view. It returns false if the claim is lost.
func (d *delivery) next(first, second *presence.EventView) (ok bool, err error) {
	d.settled = true
	due := false
	for _, s := range d.streams {
		if s.delivering {
			d.settled = false
			continue
		}
		next, events, settled := s.State.Next(d.project, first, second, time.Now())
		s.State, s.Outbox = next, events
		d.settled, due = d.settled && settled, due || len(events) > 0
	}
	if !due {
		return true, nil
	}
	// Stored before it is delivered: if this process ends, the next one delivers the same events with the same ids, even if
	// they are no longer true then.
	if ok, err := d.storeStates(0); !ok {
		return false, err
	}
	d.start()
	return true, nil
}
