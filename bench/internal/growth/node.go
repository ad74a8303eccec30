package growth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

const (
	// writers send changes at the same time, and so share commits; the smallest shape has a session for each.
	writers = 10
	// joiners are as many as make joining quick.
	joiners = 250
)

// node is a store of a shape, with the sessions that use it.
type node struct {
	run     *harness.Run
	shape   shape
	dir     string
	tabs    []tab
	next    int // the tab that sends the next message; a multiple of writers
	store   *sqlitestore.Store
	service *presence.Service
}

// tab is a session.
type tab struct {
	project presence.Project
	user    presence.User
	session string
	desk    string // what its sections begin with
	seq     uint64
	moved   bool // whether it is in the second of its two sections
}

func newNode(r *harness.Run, s shape, dir string) *node {
	n := &node{run: r, shape: s, dir: dir, tabs: make([]tab, s.allPeople()*s.sessions)}
	for i := range n.tabs {
		person := i % s.allPeople()
		n.tabs[i] = tab{
			project: presence.Project(fmt.Sprintf("project-%d", person%s.projects)),
			user:    presence.User{ID: presence.UserID(fmt.Sprint(person + 1)), Name: fmt.Sprintf("Writer %d", person)},
			session: fmt.Sprintf("session-%013d", i), // as long as those of pages
		}
		n.tabs[i].desk = n.tabs[i].session
		if s.together > 1 {
			n.tabs[i].desk = fmt.Sprintf("section-%013d", person/s.projects/s.together)
		}
	}
	n.open()
	return n
}

// open opens the store. A session must not expire while a large one is filled.
func (n *node) open() {
	var err error
	n.store, err = sqlitestore.Open(n.dir, sqlitestore.Options{Lease: time.Hour})
	n.run.Check(err)
	n.service = presence.NewService(n.store)
	for i := range n.shape.projects {
		for range n.shape.watchers {
			n.service.Watch(presence.Project(fmt.Sprintf("project-%d", i)), func() {})
		}
	}
}

// start runs the store until stop is called.
func (n *node) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.store.Run(ctx) }()
	return func() {
		cancel()
		n.run.Check(<-ended)
		n.store, n.service = nil, nil
		runtime.GC()
	}
}

// writeAndClose has the store write what was renewed, and close. It returns its CPU time in µs.
func (n *node) writeAndClose() (micros float64) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	before := cpu()
	n.run.Check(n.store.Run(ctx))
	return cpu() - before
}

// shuffle puts the sessions into an order in which the store's memory is not.
func (n *node) shuffle() {
	rand.Shuffle(len(n.tabs), func(i, j int) { n.tabs[i], n.tabs[j] = n.tabs[j], n.tabs[i] })
}

// do has goroutines call op for the next count tabs. Each goroutine has tabs of its own.
func (n *node) do(count, goroutines int, op func(*tab) error) {
	errs := make([]error, goroutines)
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := g; i < count && errs[g] == nil; i += goroutines {
				errs[g] = op(&n.tabs[(n.next+i)%len(n.tabs)])
			}
		})
	}
	all.Wait()
	n.run.Check(errors.Join(errs...))
	n.next = (n.next + count) % len(n.tabs)
}

// cost returns the CPU time of one of count calls of op, in µs, without what the store takes when it is quiet, in ms a
// second.
func (n *node) cost(quiet float64, count int, op func(*tab) error) (micros float64) {
	before, began := cpu(), time.Now()
	n.do(count, writers, op)
	return (cpu() - before - 1000*quiet*time.Since(began).Seconds()) / float64(count)
}

// quiet returns the CPU time, in ms a second, that the store takes while no messages come.
func (n *node) quiet(d time.Duration) (millis float64) {
	before := cpu()
	time.Sleep(d)
	return (cpu() - before) / 1000 / d.Seconds()
}

func (n *node) change(t *tab) error {
	t.moved = !t.moved
	return n.update(t, false)
}

func (n *node) changeAndList(t *tab) error {
	t.moved = !t.moved
	return n.update(t, true)
}

func (n *node) heartbeat(t *tab) error { return n.update(t, false) }

func (n *node) update(t *tab, list bool) error {
	section := "/a"
	if t.moved {
		section = "/b"
	}
	t.seq++
	reply, err := n.service.Update(context.Background(), t.project, t.user,
		presence.Update{Session: t.session, Seq: t.seq, Section: presence.Section(t.desk + section), Activity: presence.Editing, Poll: list})
	switch {
	case err != nil:
		return err
	case reply.Stale, !reply.Durable, list != (reply.Snapshot != nil):
		return fmt.Errorf("an update was answered %+v", reply)
	}
	return nil
}

// tabsKB is the memory of the tabs without their texts, which the store keeps, too.
func (n *node) tabsKB() float64 { return float64(len(n.tabs)) * float64(unsafe.Sizeof(tab{})) / 1024 }

// memory returns the heap after a garbage collection, and the resident set before it, in KB.
func memory(r *harness.Run) (heap, rss float64) {
	rss, _ = r.Memory(harness.Self())
	runtime.GC()
	runtime.GC() // what pools and cleanups held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1024, rss
}

// cpu returns the CPU time of this process in µs. Unlike the figures of its threads in /proc it includes the running
// time slice.
func cpu() (micros float64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1000
}
