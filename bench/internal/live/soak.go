package live

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

const (
	// A soak has as many clients and events for each change a second:
	soakClients = 10         // live connections, in rooms of 10
	soakReturns = 1.0 / 10   // connections that break and come back with their session
	soakPolls   = 1.0 / 10   // updates and lists over HTTP
	soakMoves   = 1.0 / 1000 // rooms whose people all leave for a new project, with new sessions

	soakSamples = 30

	// minSoak is the shortest soak whose growth is judged: in a shorter one caches are still filling.
	minSoak = 5 * time.Minute
)

// Soak returns a scenario in which memory, goroutines and descriptors of the server must not grow. At a rate of 100
// changes a second its load is a tenth of the others'.
func Soak(d time.Duration, rate float64) harness.Scenario {
	return harness.Scenario{Name: fmt.Sprintf("soak, %v at %v changes a second", d, rate), Run: func(r *harness.Run) {
		s := newSoak(r, rate)
		t := harness.NewTable(r.Out, 12, "heap, MB", "RSS, MB", "goroutines", "descriptors")
		var samples []resources
		for i := range soakSamples {
			s.run(d / soakSamples)
			samples = append(samples, s.sample())
			t.Row(((time.Duration(i) + 1) * d / soakSamples).Round(time.Second).String(), samples[i].Heap, samples[i].RSS, samples[i].Goroutines, samples[i].Descriptors)
		}
		settled := samples[soakSamples/3:] // caches and logs have filled
		growth, limit := harness.Growth(settled), permittedGrowth(rate)
		t.Row("growth", growth.Heap, growth.RSS, growth.Goroutines, growth.Descriptors)
		t.Row("permitted", limit.Heap, limit.RSS, limit.Goroutines, limit.Descriptors)
		fmt.Fprintf(r.Out, "\nGrowth is that of the last %v. Connections %d, changes %d, reconnects %d, polls %d, new projects %d.\n",
			d*2/3, s.pool.joined, len(s.pool.changes), s.reconnects, s.polls, s.projects)
		if d < minSoak {
			fmt.Fprintf(r.Out, "It is not judged, since a soak of less than %v is too short for that.\n", minSoak)
			return
		}
		r.Check(growth.exceeds(limit))
	}}
}

// resources are what a server holds, right after a garbage collection.
type resources struct{ Heap, RSS, Goroutines, Descriptors float64 } // memory in MB

// permittedGrowth returns what may be there more at the end than at the beginning of the part that counts, however long
// it is. In a run of ten minutes at 100 changes a second the heap grew by 0.3 MB, with what the server keeps by design
// for ten minutes of sessions that ended, and varied by as much; RSS, which also depends on when Go returns memory to
// the kernel, varied by 2 MB, and goroutines by 14. In the 400 s that count, 1 MB is 26 bytes for each change and 260
// for each reconnect; in two hours a twelfth of that.
func permittedGrowth(rate float64) resources {
	times := max(1, rate/100)
	return resources{Heap: 1 * times, RSS: 4 * times, Goroutines: 20 * times, Descriptors: 10 * times}
}

// exceeds returns an error that names each resource of which there is more than permitted.
func (g resources) exceeds(limit resources) (err error) {
	check := func(name string, growth, limit float64) {
		if growth > limit {
			err = errors.Join(err, fmt.Errorf("%s grew by %.1f; permitted are %.1f", name, growth, limit))
		}
	}
	check("heap, MB,", g.Heap, limit.Heap)
	check("RSS, MB,", g.RSS, limit.RSS)
	check("goroutines", g.Goroutines, limit.Goroutines)
	check("descriptors", g.Descriptors, limit.Descriptors)
	return err
}

type soak struct {
	r       *harness.Run
	server  *harness.Process
	admin   harness.Admin
	pool    *Pool
	pollers []harness.User
	next    func() *Client

	changes, heartbeats, returns, polling, moves *ticker
	reconnects, polls, projects                  int
}

func newSoak(r *harness.Run, rate float64) *soak {
	s := &soak{r: r}
	n := max(1, int(rate*soakClients/RoomSize)) * RoomSize
	s.server, s.admin = r.StartAdmin("--connections", strconv.Itoa(2*n+100))
	users := r.Users(s.server, n+n/RoomSize)
	s.pool, s.pollers = NewPool(r), users[n:]
	s.pool.wait = 1
	s.pool.Connect(s.pool.Add(s.server, Presence, users[:n], RoomSize), PacedHandshakes, 0)
	s.next = RoundRobin(s.pool.Clients)
	every := func(perSecond float64) *ticker { return newTicker(time.Duration(float64(time.Second) / perSecond)) }
	s.changes, s.returns, s.polling, s.moves = every(rate), every(rate*soakReturns), every(rate*soakPolls), every(rate*soakMoves)
	s.heartbeats = newTicker(HeartbeatInterval / time.Duration(n))
	return s
}

func (s *soak) anyone() *Client { return s.pool.Clients[rand.IntN(len(s.pool.Clients))] }

// run has everybody do what is due for a while.
func (s *soak) run(d time.Duration) {
	s.pool.counters = counters{} // which would fill the memory of the load generator
	s.pool.Serve(d, func(now time.Time) {
		if s.changes.due(now) {
			s.pool.changeSection(s.anyone())
		}
		if s.heartbeats.due(now) {
			s.pool.heartbeat(s.next())
		}
		if s.returns.due(now) {
			s.reconnects++
			s.reconnect(s.anyone())
		}
		if s.polling.due(now) {
			s.poll(s.polls)
			s.polls++
		}
		if s.moves.due(now) {
			s.projects++
			s.moveRoom(s.anyone().room)
		}
	})
	s.pool.CheckConnected()
}

func (s *soak) reconnect(clients ...*Client) {
	s.pool.Disconnect(clients)
	s.pool.Connect(clients, PacedHandshakes, 0)
}

// moveRoom has everybody in a room open a page in a new project.
func (s *soak) moveRoom(room string) {
	var clients []*Client
	for _, c := range s.pool.Clients {
		if c.room == room {
			c.room, c.session = fmt.Sprintf("new-room-%d", s.projects), fmt.Sprintf("tab-%d-%d", c.index, s.projects)
			clients = append(clients, c)
		}
	}
	s.reconnect(clients...)
}

// poll sends an update, which is a change for each tenth of a poller, and asks for the list.
func (s *soak) poll(i int) {
	poller, turn := s.pollers[i%len(s.pollers)], i/len(s.pollers)
	url := fmt.Sprintf("http://%s%s/project/room-%d/presence/", s.server.Address, harness.APIPrefix, i%len(s.pollers))
	s.request(http.MethodPost, url+"update/", poller.Token, fmt.Sprintf(`{"section":"polls/%d","session":"poll-%d","seq":%d,"activity":"editing"}`, turn/10, i%len(s.pollers), turn+1))
	s.request(http.MethodGet, url+"list/", poller.Token, "")
}

// sample collects the server's garbage, and returns what is left.
func (s *soak) sample() resources {
	s.get("/debug/pprof/heap?gc=1")
	metrics := s.get("/metrics")
	metric := func(name string) (value float64) {
		_, rest, found := strings.Cut(metrics, "\n"+name+" ")
		if _, err := fmt.Sscan(rest, &value); !found || err != nil {
			s.r.Check(fmt.Errorf("the metrics have no %s", name))
		}
		return value
	}
	const mb = 1 << 20
	return resources{
		Heap: metric("go_memstats_heap_alloc_bytes") / mb, RSS: metric("process_resident_memory_bytes") / mb,
		Goroutines: metric("go_goroutines"), Descriptors: metric("process_open_fds"),
	}
}

func (s *soak) request(method, url, token, body string) string {
	text, err := harness.Request(method, url, token, body)
	s.r.Check(err)
	return text
}

func (s *soak) get(path string) string {
	text, err := s.admin.Get(path)
	s.r.Check(err)
	return text
}
