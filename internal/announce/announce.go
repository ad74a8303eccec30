// Package announce finds the events of projects and passes them on: to a log that listeners read, and to a sender.
//
// There is no queue of changes. For each project that changed, one process claims it, compares what it has announced with
// what is visible now, passes on the difference, and stores what it has announced. So changes in the meantime become part
// of the next difference, and a process that takes over finds what is missing (ADR 42).
package announce

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/loglimit"
	"github.com/writer-presence/writer-presence/internal/wire"
)

const (
	// claimTime is how long after the end of a process another one takes over its projects, with scanInterval added.
	claimTime = 8 * time.Second
	// scanInterval is how often the store is asked for projects whose change was not notified.
	scanInterval = 5 * time.Second
	// maxRunning is how many projects are announced at a time, most of which wait until a change has lasted.
	maxRunning = 1000
	// maxWaiting is how many more projects are remembered. The others are found by the scan.
	maxWaiting = 100_000
)

// Store is what an Announcer needs of a store.
type Store interface {
	presence.EventStore
	Sessions(ctx context.Context, project presence.Project) (*presence.Snapshot, []presence.Record, error)
}

// Options of an Announcer.
type Options struct {
	Store Store
	// Send passes on a batch of events of one project. It returns once they were accepted or given up, and an error only
	// if ctx ended before; then another process sends them again. It is called concurrently, but not for the same project.
	// Nil for none.
	Send func(ctx context.Context, events []presence.Event) error
	// Log has the events added to the log of the store.
	LogEvents bool
	// Log gets errors, at most one a minute; the default discards them.
	Log *slog.Logger
}

// Announcer passes on the events of all projects. Create one with New.
type Announcer struct {
	o   Options
	log *slog.Logger

	mu      sync.Mutex
	ctx     context.Context // nil unless Run is running
	working sync.WaitGroup
	running map[presence.Project]*run
	waiting map[presence.Project]struct{}
}

// run is the work on a project. Again says that the project changed meanwhile.
type run struct{ again bool }

// New returns an announcer. It does nothing until Run.
func New(o Options) *Announcer {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Announcer{o: o, log: loglimit.New(o.Log), running: map[presence.Project]*run{}, waiting: map[presence.Project]struct{}{}}
}

// Run passes on events until ctx ends. It must be called once.
func (a *Announcer) Run(ctx context.Context) {
	a.mu.Lock()
	a.ctx = ctx
	a.mu.Unlock()
	stop := a.o.Store.NotifyChanges(a.note)
	scan := time.NewTicker(scanInterval)
	defer scan.Stop()
	for ctx.Err() == nil {
		due, err := a.o.Store.Unannounced(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.Error("could not look for events of other nodes; those of this node are sent", "error", err)
		}
		for _, project := range due {
			a.note(project)
		}
		select {
		case <-scan.C:
		case <-ctx.Done():
		}
	}
	stop()
	a.mu.Lock()
	a.ctx = nil
	a.mu.Unlock()
	a.working.Wait()
}

// note starts the work on a project, or remembers that it has changed.
func (a *Announcer) note(project presence.Project) {
	if project == presence.Everywhere {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.running[project]; r != nil {
		r.again = true
		return
	}
	if len(a.waiting) < maxWaiting {
		a.waiting[project] = struct{}{}
	}
	a.start()
}

// start starts the work on projects that wait, as far as there is room. mu must be held.
func (a *Announcer) start() {
	for project := range a.waiting {
		if a.ctx == nil || len(a.running) >= maxRunning {
			return
		}
		delete(a.waiting, project)
		r := &run{}
		a.running[project] = r
		ctx := a.ctx
		a.working.Go(func() {
			began := time.Now()
			a.work(ctx, project)
			a.mu.Lock()
			again := r.again
			a.mu.Unlock()
			if again { // a busy project is read once in EventSettle, and not all the time
				sleep(ctx, presence.EventSettle-time.Since(began))
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			delete(a.running, project)
			if r.again {
				a.waiting[project] = struct{}{}
			}
			a.start()
		})
	}
}

// work announces a project, and tries again while another process has it or the store is unavailable.
func (a *Announcer) work(ctx context.Context, project presence.Project) {
	for ctx.Err() == nil {
		done, err := a.attempt(ctx, project)
		if done {
			return
		}
		if err != nil && ctx.Err() == nil {
			a.log.Error("could not find the events of a project; they are sent once the store answers", "project", project, "error", err)
		}
		sleep(ctx, presence.EventSettle)
	}
}

// attempt announces a project. It returns done once all that is visible was announced.
func (a *Announcer) attempt(ctx context.Context, project presence.Project) (done bool, err error) {
	holder := rand.Text()
	announced, ok, err := a.o.Store.Claim(ctx, project, holder, claimTime)
	if err != nil || !ok {
		return false, err
	}
	c, end := a.keep(ctx, project, holder)
	defer end()
	return a.announce(c, announced)
}

// announce delivers events until all that is visible was announced.
func (a *Announcer) announce(c *claim, announced presence.Announcement) (done bool, err error) {
	var states states
	if announced.State != nil {
		if err := json.Unmarshal(announced.State, &states); err != nil {
			return false, fmt.Errorf("cannot read what was announced: %w", err)
		}
	}
	streams := a.streams(&states)
	store := func(version uint64) (ok bool, err error) {
		occupied := slices.ContainsFunc(streams, func(s *stream) bool { return !s.State.IsEmpty() })
		return c.announce(version, occupied, states)
	}
	delivering, delivered := 0, make(chan result, len(streams))
	deliver := func() {
		for _, s := range streams {
			if !s.delivering && len(s.Outbox) > 0 {
				s.delivering = true
				delivering++
				c.delivering.Go(func() { delivered <- result{s, s.deliver(c, s.Outbox)} })
			}
		}
	}
	finish := func(r result) error {
		delivering--
		if r.delivering = false; r.err == nil {
			r.Outbox = nil
		}
		return r.err
	}
	// fail returns an error once the deliveries under way have ended, so that none of them is repeated because of it.
	fail := func(err error) (bool, error) {
		for delivering > 0 {
			_ = finish(<-delivered)
		}
		_, _ = store(0)
		return false, err
	}

	deliver() // a process that has ended may not have delivered all of it
	first, err := a.view(c)
	if err != nil {
		return fail(err)
	}
	// Most changes are none for events: what somebody does in a section, or a page that was reloaded.
	if delivering == 0 && !slices.ContainsFunc(streams, func(s *stream) bool { return !s.advance(c.project, first) }) {
		if announced.Version == first.Version() {
			return true, nil
		}
		return store(first.Version())
	}
	settled := false
	var second *presence.EventView
	for views := time.After(presence.EventSettle); ; {
		if settled && delivering == 0 {
			return store(second.Version())
		}
		select {
		case r := <-delivered:
			if err := finish(r); err != nil {
				return fail(err)
			}
			continue
		case <-views:
			views = time.After(presence.EventSettle)
		case <-c.Done():
			return false, nil
		}
		if settled = delivering < len(streams); !settled {
			continue
		}
		if second, err = a.view(c); err != nil {
			return fail(err)
		}
		due := false
		for _, s := range streams {
			if s.delivering { // gets the difference to what is visible afterwards
				settled = false
				continue
			}
			next, events, ok := s.State.Next(c.project, first, second, time.Now())
			s.State, s.Outbox = next, events
			settled, due = settled && ok, due || len(events) > 0
		}
		if due {
			// Stored before it is delivered: if this process ends, the next one delivers the same events with the same ids, even
			// if they are no longer true then.
			if ok, err := store(0); !ok {
				return fail(err)
			}
			deliver()
		}
		first = second
	}
}

// states is the State of an announcement: how far each stream is. A process without a receiver for a stream leaves its
// state as it is.
type states struct{ Log, Sent *state }

// state is where the events of a stream lead to, and those that may not have been delivered.
type state struct {
	State  presence.EventState
	Outbox []presence.Event `json:",omitempty"`
}

// stream is one destination of a project's events: the log or webhooks. Each has a state of its own, so that a receiver of
// webhooks that is down delays no listener of the log.
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

// streams returns the streams that have a receiver in this process.
func (a *Announcer) streams(s *states) (streams []*stream) {
	add := func(s **state, deliver func(context.Context, []presence.Event) error) {
		if *s == nil {
			*s = &state{}
		}
		streams = append(streams, &stream{state: *s, deliver: deliver})
	}
	if a.o.LogEvents {
		add(&s.Log, a.appendLog)
	}
	if a.o.Send != nil {
		add(&s.Sent, a.o.Send)
	}
	return streams
}

// advance makes a view the state of the stream if that needs no event. It returns false if it does, or may.
func (s *stream) advance(project presence.Project, v *presence.EventView) bool {
	next, events, settled := s.State.Next(project, v, v, time.Now())
	if !settled || len(events) > 0 || !maps.Equal(next.Sections, s.State.Sections) {
		return false
	}
	s.State = next
	return true
}

// view reads what is visible, and all changes of other processes.
func (a *Announcer) view(c *claim) (*presence.EventView, error) {
	snapshot, sessions, err := a.o.Store.Sessions(c, c.project)
	if err != nil {
		return nil, err
	}
	return presence.NewEventView(snapshot, sessions), nil
}

// appendLog adds events to the log of the store.
func (a *Announcer) appendLog(ctx context.Context, events []presence.Event) error {
	data := make([][]byte, len(events))
	for i, e := range events {
		data[i] = wire.AppendEvent(nil, e)
	}
	return a.o.Store.AppendEvents(ctx, data)
}

// sleep waits. It returns false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 { // no timer that has expired: with the race detector, two at once in a synctest bubble crash Go 1.26
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
