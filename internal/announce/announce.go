// Package announce finds the events of projects and passes them on: to a log that listeners read, and to a sender.
//
// There is no queue of changes. For each project that changed, one process claims it, compares what it has announced with
// what is visible now, passes on the difference, and stores what it has announced. So changes in the meantime become part
// of the next difference, and a process that takes over finds what is missing (ADR 42).
package announce

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/loglimit"
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
	d, err := newDelivery(a, c, announced.State)
	if err != nil {
		return false, err
	}
	d.start() // a process that has ended may not have delivered all of it
	first, err := a.view(c)
	if err != nil {
		return d.fail(err)
	}
	// Most changes are none for events: what somebody does in a section, or a page that was reloaded.
	if d.underWay() == 0 && d.advance(first) {
		if announced.Version == first.Version() {
			return true, nil
		}
		return d.storeStates(first.Version())
	}
	for views := time.After(presence.EventSettle); ; {
		select {
		case r := <-d.delivered:
			if err := d.finish(r); err != nil {
				return d.fail(err)
			}
		case <-views:
			views = time.After(presence.EventSettle)
			if d.underWay() == len(d.streams) {
				continue // nobody could get what there is to see
			}
			second, err := a.view(c)
			if err != nil {
				return d.fail(err)
			}
			if ok, err := d.next(first, second); !ok {
				return d.fail(err)
			}
			first = second
		case <-c.Done():
			return false, nil
		}
		if d.settled && d.underWay() == 0 {
			return d.storeStates(first.Version())
		}
	}
}

// view reads what is visible, and all changes of other processes.
func (a *Announcer) view(c *claim) (*presence.EventView, error) {
	snapshot, sessions, err := a.o.Store.Sessions(c, c.project)
	if err != nil {
		return nil, err
	}
	return presence.NewEventView(snapshot, sessions), nil
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
