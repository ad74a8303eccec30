package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	presence "github.com/writer-presence/writer-presence"
)

// disk stands for the database. A test makes its writes work, fail or hang.
type disk struct {
	mu    sync.Mutex
	hangs chan struct{} // not nil while writes hang: closed when they go on
	fails error         // for writes that begin, and for those that hang, when they go on
	rows  map[key]presence.Record
	saves map[saveKey]presence.Save
	// commits are the changes of each write that succeeded.
	commits []changes
	busy    bool // a write is under way
}

func newDisk() *disk {
	return &disk{rows: map[key]presence.Record{}, saves: map[saveKey]presence.Save{}}
}

func (d *disk) write(c changes, _ uint64, _ time.Time) error {
	d.mu.Lock()
	hangs := d.hangs
	d.busy = true
	d.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = false
	if d.fails != nil {
		return d.fails
	}
	maps.Copy(d.rows, c.records)
	maps.Copy(d.saves, c.saves)
	d.commits = append(d.commits, c)
	return nil
}

// set changes the mode: "works", "fails" or "hangs". Writes that hang end in the new mode.
func (d *disk) set(mode string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hangs != nil && mode != "hangs" {
		close(d.hangs)
		d.hangs = nil
	}
	switch mode {
	case "works":
		d.fails = nil
	case "fails":
		d.fails = errors.New("the disk is full")
	case "hangs":
		if d.hangs == nil {
			d.hangs = make(chan struct{})
		}
	}
}

func (d *disk) has(k key, seq uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rows[k].Seq >= seq
}

// hasSave reports whether a project's save of draft is there, with that revision or a higher one.
func (d *disk) hasSave(project presence.Project, revision uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	saved, _ := strconv.ParseUint(d.saves[saveKey{project, "draft"}].Revision, 10, 64)
	return saved >= revision
}

// withDisk runs a test on a store that writes to a disk. The disk works again at the end.
func withDisk(t *testing.T, test func(*Store, *disk)) {
	d := newDisk()
	s := newStore(presence.DefaultLease, slog.New(slog.DiscardHandler), d.write)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		s.journal.run(stop)
	}()
	defer func() {
		d.set("works")
		close(stop)
		<-stopped
	}()
	test(s, d)
}

// client sends updates of one session in one project.
type client struct {
	project presence.Project
	seq     uint64
}

func (c client) key() key { return key{c.project, alice.ID, "x"} }

func (c *client) send(t interface{ Fatal(...any) }, s *Store, section presence.Section) (durable bool) {
	c.seq++
	reply, err := s.Update(context.Background(), c.project, alice, presence.Update{Session: "x", Seq: c.seq, Section: section})
	if err != nil {
		t.Fatal(err)
	}
	return reply.Durable
}

func TestRenewalIsDurableOnceChangeBeforeItIsWritten(t *testing.T) {
	for _, fault := range []string{"fails", "hangs"} {
		synctest.Test(t, func(t *testing.T) {
			withDisk(t, func(s *Store, d *disk) {
				c := &client{project: "p"}
				d.set(fault)
				if c.send(t, s, "a") {
					t.Errorf("%s: an unwritten change: got durable, want not", fault)
				}
				if c.send(t, s, "a") {
					t.Errorf("%s: a renewal of an unwritten change: got durable, want not", fault)
				}
				d.set("works")
				time.Sleep(2 * retryEvery)
				synctest.Wait()
				if err := s.Ready(context.Background()); err != nil {
					t.Errorf("%s: Ready after the disk works again: got %v, want nil", fault, err)
				}
				if !d.has(c.key(), 1) {
					t.Errorf("%s: the change is not written though the disk works again", fault)
				}
				if !c.send(t, s, "a") {
					t.Errorf("%s: a renewal of a written change: got not durable, want durable", fault)
				}
				if _, err := s.Leave(context.Background(), "p", bob, presence.Leave{Session: "y"}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Changes are sent while a batch is pending behind another commit, while it is written, and
// after that. At each step the disk works, fails or hangs.
func TestBatchIsDurableOnlyIfWritten(t *testing.T) {
	modes := []string{"works", "fails", "hangs"}
	for _, first := range modes {
		for _, second := range modes {
			for _, third := range modes {
				name := first + ", " + second + ", " + third
				synctest.Test(t, func(t *testing.T) {
					withDisk(t, func(s *Store, d *disk) {
						var sent sync.WaitGroup
						send := func(c *client, section presence.Section) {
							sent.Go(func() {
								began := time.Now()
								durable := c.send(t, s, section)
								if durable && !d.has(c.key(), c.seq) {
									t.Errorf("%s: project %s: got durable, want not, since it is not written", name, c.project)
								}
								if took := time.Since(began); took > 5*time.Second {
									t.Errorf("%s: a call took %v, want 5s at most", name, took)
								}
							})
						}
						calls := []*client{{project: "1"}, {project: "2"}, {project: "3"}}
						for i, mode := range []string{first, second, third} {
							d.set(mode)
							send(calls[i], "a")
							synctest.Wait()
							time.Sleep([]time.Duration{0, commitPause / 2, commitTimeout + 1}[i])
						}
						d.set("works")
						time.Sleep(2 * retryEvery)
						sent.Wait()
						for _, c := range calls {
							if !d.has(c.key(), 1) {
								t.Errorf("%s: project %s is not written though the disk works again", name, c.project)
							}
							if !c.send(t, s, "a") {
								t.Errorf("%s: a renewal in project %s: got not durable, want durable, since the disk works again", name, c.project)
							}
						}
						if s.journal.isFailing() || s.journal.lag() != 0 {
							t.Errorf("%s: after the disk works again: got failing %v, lag %v, want false, 0", name, s.journal.isFailing(), s.journal.lag())
						}
					})
				})
			}
		}
	}
}

func TestRepliesAreDurableOnlyIfWrittenInRandomHistories(t *testing.T) { // invariant 6
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) {
			var mu sync.Mutex
			var wrong []string
			fail := func(format string, args ...any) {
				mu.Lock()
				defer mu.Unlock()
				wrong = append(wrong, fmt.Sprintf(format, args...))
			}
			d := newDisk()
			s := newStore(presence.DefaultLease, slog.New(slog.DiscardHandler), d.write)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				s.journal.run(stop)
			}()
			type change struct {
				seq     uint64
				section presence.Section
				saved   uint64 // the revision of draft; 0 for none
			}
			message := func(seq uint64, c change) presence.Update {
				u := presence.Update{Session: "x", Seq: seq, Section: c.section}
				if c.saved > 0 {
					u.Saved = presence.Saved{Section: "draft", Revision: fmt.Sprint(c.saved)}
				}
				return u
			}
			last := map[presence.Project]change{} // the newest change that was sent
			seqs := map[presence.Project]uint64{}
			var calls sync.WaitGroup
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				switch step := rapid.SampledFrom([]string{"works", "fails", "hangs", "change", "change", "save", "renewal", "renewal", "pass"}).Draw(t, "step"); step {
				case "pass":
					time.Sleep(rapid.SampledFrom([]time.Duration{1, commitPause, retryEvery / 2, commitTimeout}).Draw(t, "time"))
				case "change", "save", "renewal":
					p := rapid.SampledFrom([]presence.Project{"p", "q"}).Draw(t, "project")
					seqs[p]++
					if step == "change" || last[p].seq == 0 {
						last[p] = change{seqs[p], presence.Section(fmt.Sprint("s", seqs[p])), last[p].saved}
					}
					if step == "save" {
						last[p] = change{seqs[p], last[p].section, seqs[p]}
					}
					c, seq := last[p], seqs[p]
					calls.Go(func() {
						began := time.Now()
						reply, err := s.Update(context.Background(), p, alice, message(seq, c))
						if err != nil {
							fail("%v", err)
						}
						if reply.Durable && !(d.has(key{p, alice.ID, "x"}, c.seq) && d.hasSave(p, c.saved)) {
							fail("message %d in %s: got durable, want not, since change %d is not written", seq, p, c.seq)
						}
						if took := time.Since(began); took > 5*time.Second {
							fail("a call took %v, want 5s at most", took)
						}
					})
					synctest.Wait() // so that messages arrive in this order
				default:
					d.set(step)
				}
			}
			d.set("works")
			time.Sleep(2*retryEvery + commitTimeout)
			calls.Wait()
			for p, c := range last {
				seqs[p]++
				reply, err := s.Update(context.Background(), p, alice, message(seqs[p], c))
				if written := d.has(key{p, alice.ID, "x"}, c.seq) && d.hasSave(p, c.saved); err != nil || !reply.Durable || !written {
					fail("renewal in %s after the disk works again: got durable %v, %v, written %v, want true, nil, true", p, reply.Durable, err, written)
				}
			}
			close(stop)
			<-stopped
			for _, what := range wrong {
				t.Error(what)
			}
		})
	})
}
