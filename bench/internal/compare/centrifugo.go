package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/bench/internal/live"
)

const (
	// centrifugoModule is pinned by a module of its own, in centrifugoDir, so that nothing else depends on it (ADR 43).
	centrifugoModule = "github.com/centrifugal/centrifugo/v6"
	centrifugoDir    = "peers/centrifugo"

	centrifugoStart  = 10 * time.Second
	centrifugoSecret = "not secret: for the benchmark only"
)

// centrifugo is a peer.
type centrifugo struct{ program string } // set by find

func (*centrifugo) name() string { return "Centrifugo" }

func (*centrifugo) differs() (does, doesNot string) {
	return "authenticates by a token, keeps who is in a room and pushes joins and leaves, delivers a change as a publication of the client, " +
			"pings every 25 s; all other settings are its defaults, in memory on one node",
		"keeps no sections (whoever joins later does not learn them), has no versions, deltas, merging of tabs, conflicts or saves; stores nothing on disk"
}

// find finds the program in the cache of the go command, which compiles it if it is not there.
func (c *centrifugo) find(r *harness.Run) (versions string, err error) {
	run := func(args ...string) string {
		text, failed := exec.Command("go", append([]string{"-C", centrifugoDir}, args...)...).Output()
		if exit := new(exec.ExitError); errors.As(failed, &exit) {
			failed = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), failed, exit.Stderr)
		}
		err = errors.Join(err, failed)
		return strings.TrimSpace(string(text))
	}
	fmt.Fprintln(r.Out, "Building Centrifugo, which takes minutes the first time.")
	c.program = run("tool", "-n", centrifugoModule)
	return run("list", "-m", "-f", "{{.Version}}", centrifugoModule) + ", built from its module", err
}

// connections is what one round of live connections measured.
type connections struct {
	KB    float64 `row:"KB of RSS per connection"`
	Quiet float64 `row:"% of a core while nobody sends anything"`
	CPU   float64 `row:"µs CPU per delivered change"`
	Bytes float64 `row:"bytes per delivered change"`
	P50   float64 `row:"ms from change to other screen, p50"`
	P99   float64 `row:"ms from change to other screen, p99"`
	Lag   float64 `row:"ms that the load came late, p99"`
}

func (c *centrifugo) measure(r *harness.Run, s Sizes, t *harness.Table) {
	theirs := live.CentrifugoUsers(centrifugoSecret, s.Clients)
	ourServer := func(r *harness.Run) *harness.Process {
		return r.StartServer("--connections", strconv.Itoa(2*s.Clients))
	}
	var ours []harness.User
	r.Sub(func(r *harness.Run) { ours = r.Users(ourServer(r), s.Clients) }) // so many requests would heat the server that is measured
	r.PauseGC()

	var rounds [3][]connections
	for range s.LiveRounds {
		measure := func(i int, start func(*harness.Run) *harness.Process, protocol live.Protocol, users []harness.User) {
			r.Sub(func(r *harness.Run) { rounds[i] = append(rounds[i], s.connections(r, start(r), protocol, users)) })
		}
		measure(0, ourServer, live.Presence, ours)
		measure(1, c.start, live.Centrifugo, theirs)
		frame := strconv.Itoa(int(rounds[0][0].Bytes))
		measure(2, func(r *harness.Run) *harness.Process { return r.StartYardstick("yardstick-websocket", frame) }, live.Bare, ours)
	}
	harness.ComparePeer(t, "Centrifugo: ", rounds[0], rounds[1], rounds[2])
}

// start starts a server with presence, and with joins and leaves pushed to everybody in a room. Clients
// may publish, since a change that a host publishes for them by the HTTP API would cost a request in addition.
func (c *centrifugo) start(r *harness.Run) *harness.Process {
	address, port := r.FreeAddress()
	config, err := json.Marshal(map[string]any{
		"http_server": map[string]any{"address": "127.0.0.1", "port": port},
		"client":      map[string]any{"token": map[string]any{"hmac_secret_key": centrifugoSecret}, "allowed_origins": []string{"*"}},
		"channel": map[string]any{"without_namespace": map[string]any{
			"presence": true, "join_leave": true, "force_push_join_leave": true, "allow_subscribe_for_client": true, "allow_publish_for_subscriber": true,
		}},
		"usage_stats": map[string]any{"disabled": true}, // which would be sent to its authors
	})
	r.Check(err)
	file := filepath.Join(r.Dir, "centrifugo.json")
	r.Check(os.WriteFile(file, config, 0o600))
	p := r.StartWhen(func(line string) bool { return strings.Contains(line, "endpoints on "+address) }, c.program, "--config", file)
	p.Address = address
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) { // it logs that before it listens
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return p
		}
		if time.Since(began) > centrifugoStart {
			r.Check(err)
		}
	}
}

// connections leaves out one room that connects first, and with it what the first connection costs.
func (s Sizes) connections(r *harness.Run, server *harness.Process, protocol live.Protocol, users []harness.User) (f connections) {
	p := live.NewPool(r)
	clients := p.Add(server, protocol, users, live.RoomSize)
	p.Connect(clients[:live.RoomSize], live.PacedHandshakes, 0)
	before, _ := r.Memory(server)
	p.Connect(clients[live.RoomSize:], live.PacedHandshakes, 0)
	p.Idle(clients, s.Settle)
	after, _ := r.Memory(server)
	f.KB = (after - before) / float64(len(clients)-live.RoomSize)
	f.Quiet = 100 * p.Quiet(server, s.Quiet) / 1e6
	atRandom := func() *live.Client { return clients[rand.IntN(len(clients))] }
	p.Round(atRandom, s.Warm, s.ChangeInterval, server)
	changes := p.Round(atRandom, s.LiveTime, s.ChangeInterval, server)
	p.CheckConnected()
	f.CPU, f.Bytes, f.P50, f.P99, f.Lag = changes.CPUPerDelivery, changes.BytesPerDelivery, changes.DeltaP50, changes.DeltaP99, changes.LagP99
	return f
}
