package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// liveCase is something that is asked of live connections.
type liveCase struct {
	name string
	run  func(*liveBench) error
}

var liveCases = []liveCase{
	{"live, idle in rooms of 10", (*liveBench).idle},
	{"live, 1,000 changes a second in rooms of 10", (*liveBench).changes},
	{"live, a room of 1,000 in which each moves once a second", (*liveBench).hall},
	{"live, 10,000 come back", (*liveBench).storm},
}

const (
	crowdSize  = 10_000
	hallSize   = 1_000
	roomSize   = 10
	changeTime = time.Millisecond // from one change to the next
	heartbeat  = 30 * time.Second

	settleTime  = 5 * time.Second
	idleTime    = 30 * time.Second
	liveRounds  = 5
	liveTime    = 5 * time.Second
	stormRounds = 3
	hallTime    = 10 * time.Second
	spreadTime  = 5 * time.Second
	// lateTime is for what is under way when a round ends.
	lateTime = 300 * time.Millisecond

	// gently and stormily are how many handshakes may be unanswered: the latter is almost
	// what the kernel keeps for a listener.
	gently   = 100
	stormily = 4000
)

// liveBench is what live cases share.
type liveBench struct {
	binary, self, dir string
	// everybody has tokens that are good on all servers: those have one key.
	everybody []person
}

func runLive(only, binary, dir string) error {
	due := slices.DeleteFunc(slices.Clone(liveCases), func(c liveCase) bool { return !strings.Contains(c.name, only) })
	if len(due) == 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &liveBench{binary: binary, self: self, dir: dir}
	http.DefaultClient.Timeout = 10 * time.Second
	server, err := b.ours()
	if err != nil {
		return err
	}
	b.everybody, err = people(server.address, crowdSize)
	server.stop()
	if err != nil {
		return err
	}
	debug.SetGCPercent(-1) // it collects between cases: the load has to be quick
	for _, c := range due {
		runtime.GC()
		fmt.Printf("\n%s\n\n", c.name)
		if err := c.run(b); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// ours starts the server. It may open 20,000 files, as the load may: Go sees to that.
func (b *liveBench) ours() (*process, error) {
	data, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, err
	}
	return start(b.binary, "serve", "--dev", "--addr", "127.0.0.1:0", "--data", data, "--secret-file", filepath.Join(b.dir, "secret"), "--connections", "20000")
}

// bare starts the yardstick, which writes frames of so many bytes.
func (b *liveBench) bare(size float64) (*process, error) {
	p, err := start(b.self, "bare-ws", "127.0.0.1:0", strconv.Itoa(int(size)))
	if err == nil {
		p.bare = true
	}
	return p, err
}

// row is a line of a table. What was not measured is 0.
type row struct {
	name       string
	ours, bare float64
	ratio      float64
	budget     string
}

func pair(name string, ours, bare float64, budget string) row {
	if bare == 0 {
		return row{name, ours, 0, 0, budget}
	}
	return row{name, ours, bare, ours / bare, budget}
}

func table(rows ...row) {
	fmt.Printf("| %-46s | %10s | %10s | %6s | %-7s |\n| --- | --- | --- | --- | --- |\n", "", "ours", "bare gws", "ratio", "budget")
	text := func(f float64) string {
		switch {
		case f == 0:
			return ""
		case f >= 100:
			return strconv.FormatFloat(f, 'f', 0, 64)
		default:
			return strconv.FormatFloat(f, 'f', 2, 64)
		}
	}
	for _, r := range rows {
		fmt.Printf("| %-46s | %10s | %10s | %6s | %-7s |\n", r.name, text(r.ours), text(r.bare), text(r.ratio), r.budget)
	}
}

// idleFigure is of one connection: what it holds in KB, and µs of CPU a second.
type idleFigure struct{ connected, settled, fair, later, cpu float64 }

func (b *liveBench) idle() error {
	var rows []row
	for _, n := range []int{crowdSize / 10, crowdSize} {
		ours, err := b.ours()
		if err != nil {
			return err
		}
		a, err := b.idleOf(ours, n)
		if err != nil {
			return err
		}
		bare, err := b.bare(0)
		if err != nil {
			return err
		}
		z, err := b.idleOf(bare, n)
		if err != nil {
			return err
		}
		budget := ""
		if n == crowdSize {
			budget = "9"
		}
		of := fmt.Sprintf("%d connections: ", n)
		rows = append(rows,
			pair(of+"KB each, all here", a.connected, z.connected, ""),
			pair(of+fmt.Sprintf("KB each, after %v", settleTime), a.settled, z.settled, budget),
			pair(of+"KB each, likewise, PSS", a.fair, z.fair, budget),
			pair(of+fmt.Sprintf("KB each, after %v more", idleTime), a.later, z.later, budget),
			pair(of+"µs CPU a second each", a.cpu, z.cpu, ""))
	}
	table(rows...)
	return nil
}

// idleOf measures a server, and stops it. One room comes before, so that what the first
// connection costs is not counted.
func (b *liveBench) idleOf(server *process, n int) (f idleFigure, err error) {
	defer server.stop()
	c, err := newCrowd()
	if err != nil {
		return f, err
	}
	defer c.close()
	members := c.add(server, b.everybody[:n], roomSize)
	if err := c.connect(members[:roomSize], gently, 0); err != nil {
		return f, err
	}
	rss, pss, err := server.memory()
	if err != nil {
		return f, err
	}
	each := func() (float64, float64) {
		r, p, failed := server.memory()
		err = errors.Join(err, failed)
		return (r - rss) / float64(n-roomSize), (p - pss) / float64(n-roomSize)
	}
	if err := c.connect(members[roomSize:], gently, 0); err != nil {
		return f, err
	}
	f.connected, _ = each()

	next := inTurn(members)
	beats := pace{time.Now(), heartbeat / time.Duration(n)}
	live := func(now time.Time) error {
		if server.bare || !beats.due(now) {
			return nil
		}
		return c.beat(next())
	}
	if err := errors.Join(c.during(settleTime, live), c.whole()); err != nil {
		return f, err
	}
	f.settled, f.fair = each()
	if server.bare { // it has nothing to do
		return f, err
	}
	before, failed := server.cpuTime()
	err = errors.Join(err, failed, c.during(idleTime, live), c.whole())
	after, failed := server.cpuTime()
	f.cpu = float64((after - before).Microseconds()) / float64(n) / idleTime.Seconds()
	f.later, _ = each()
	return f, errors.Join(err, failed)
}

// inTurn gives one after the other, from the beginning again after the last.
func inTurn[T any](all []T) func() T {
	i := -1
	return func() T {
		i++
		return all[i%len(all)]
	}
}

// roomByRoom orders members such that no two of a room follow within many others: what
// changes in a room within 50 ms is told together, and later.
func roomByRoom(members []*member) (ordered []*member) {
	for i := range roomSize {
		for j := i; j < len(members); j += roomSize {
			ordered = append(ordered, members[j])
		}
	}
	return ordered
}

// moved is what a round of changes came to: CPU in µs, latencies in ms.
type moved struct {
	cpu, sent, acks, frames, told, bytes float64
	p50, p99, ack50, ack99, late         float64
	missed                               int
}

func (f moved) perTold() float64 { return f.cpu / f.told }

// round has members move, one after the other.
func (c *crowd) round(server *process, next func() *member, d, every time.Duration) (moved, error) {
	c.reset()
	before, err := server.cpuTime()
	if err != nil {
		return moved{}, err
	}
	p := pace{time.Now(), every}
	err = c.during(d, func(now time.Time) error {
		for p.due(now) {
			c.late.add(now.Sub(p.next) + every)
			if err := c.move(next()); err != nil {
				return err
			}
		}
		return nil
	})
	err = errors.Join(err, c.during(lateTime, nil))
	after, failed := server.cpuTime()
	return moved{
		cpu:  float64((after - before).Microseconds()),
		sent: float64(c.sent), acks: float64(c.acks), frames: float64(c.deltas), told: float64(c.told), bytes: float64(c.bytes),
		p50: c.news.share(0.5), p99: c.news.share(0.99), ack50: c.answers.share(0.5), ack99: c.answers.share(0.99), late: c.late.share(0.99),
		missed: c.missed,
	}, errors.Join(err, failed)
}

func (b *liveBench) changes() error {
	c, err := newCrowd()
	if err != nil {
		return err
	}
	ours, err := b.ours()
	if err != nil {
		return err
	}
	defer ours.stop()
	defer c.close()
	members := c.add(ours, b.everybody, roomSize)
	if err := c.connect(members, gently, 0); err != nil {
		return err
	}
	next := inTurn(roomByRoom(members))
	warm, err := c.round(ours, next, liveTime, changeTime)
	if err != nil {
		return err
	}
	bare, err := b.bare(warm.bytes / warm.frames)
	if err != nil {
		return err
	}
	defer bare.stop()
	twins := c.add(bare, b.everybody[:crowdSize*19/20], roomSize) // for all there are too few descriptors
	if err := c.connect(twins, gently, 0); err != nil {
		return err
	}
	nextTwin := inTurn(roomByRoom(twins))
	var all, bares []moved
	for round := range liveRounds + 1 {
		f, err := c.round(ours, next, liveTime, changeTime)
		if err != nil {
			return err
		}
		z, err := c.round(bare, nextTwin, liveTime, changeTime)
		if err != nil {
			return err
		}
		if round > 0 { // the first one warms up the bare one
			all, bares = append(all, f), append(bares, z)
		}
	}
	c.cut(twins)
	random, err := c.round(ours, atRandom(members), liveTime, changeTime)
	if err := errors.Join(err, c.whole()); err != nil {
		return err
	}
	both := func(name string, of func(moved) float64, budget string) row {
		return row{name, median(all, of), median(bares, of), medianRatio(all, bares, of), budget}
	}
	mine := func(name string, of func(moved) float64) row { return pair(name, median(all, of), 0, "") }
	table(
		both("µs CPU per delivered change", moved.perTold, "20"),
		both("µs CPU per change", func(f moved) float64 { return f.cpu / f.sent }, ""),
		both("deliveries per change", func(f moved) float64 { return f.told / f.sent }, ""),
		mine("acks per change", func(f moved) float64 { return f.acks / f.sent }),
		both("bytes per delivered change", func(f moved) float64 { return f.bytes / f.told }, ""),
		both("ms from change to delta, p50", func(f moved) float64 { return f.p50 }, "0.3"),
		both("ms from change to delta, p99", func(f moved) float64 { return f.p99 }, "3"),
		mine("ms from change to ack, p50", func(f moved) float64 { return f.ack50 }),
		mine("ms from change to ack, p99", func(f moved) float64 { return f.ack99 }),
		both("ms that the load came late, p99", func(f moved) float64 { return f.late }, ""),
		pair("rooms at random: µs CPU per delivered change", random.perTold(), 0, ""),
		pair("rooms at random: ms from change to delta, p50", random.p50, 0, ""),
		pair("rooms at random: ms from change to delta, p99", random.p99, 0, ""))
	return nil
}

func (b *liveBench) hall() error {
	c, err := newCrowd()
	if err != nil {
		return err
	}
	ours, err := b.ours()
	if err != nil {
		return err
	}
	defer ours.stop()
	defer c.close()
	members := c.add(ours, b.everybody[:hallSize], hallSize)
	for i := range members {
		members[i].keeps = i%(hallSize/5) == 0
	}
	if err := c.connect(members, gently, 0); err != nil {
		return err
	}
	next := inTurn(members)
	if _, err := c.round(ours, next, time.Second, changeTime); err != nil {
		return err
	}
	f, err := c.round(ours, next, hallTime, changeTime)
	if err != nil {
		return err
	}
	same, err := agreed(ours, members)
	if err != nil {
		return err
	}
	lost := c.lost
	c.cut(members)

	// The bare server writes as many frames of the same size.
	bare, err := b.bare(f.bytes / f.frames)
	if err != nil {
		return err
	}
	defer bare.stop()
	twins := c.add(bare, b.everybody[:hallSize], hallSize)
	if err := c.connect(twins, gently, 0); err != nil {
		return err
	}
	every := time.Duration(float64(hallTime) / f.frames * hallSize)
	z, err := c.round(bare, inTurn(twins), hallTime, every)
	if err != nil {
		return err
	}
	each := func(all float64) float64 { return all / hallSize / hallTime.Seconds() }
	ofCore := func(f moved) float64 { return f.cpu / float64(hallTime.Microseconds()) * 100 }
	table(
		pair("CPU, % of a core", ofCore(f), ofCore(z), ""),
		pair("µs CPU per frame", f.cpu/f.frames, z.cpu/z.frames, ""),
		pair("µs CPU per delivered change", f.perTold(), 0, ""),
		pair("frames per member and second", each(f.frames), each(z.frames), ""),
		pair("delivered changes per member and second", each(f.told), 0, ""),
		pair("bytes per member and second", each(f.bytes), each(z.bytes), ""),
		pair("ms from change to delta, p50", f.p50, z.p50, ""),
		pair("ms from change to delta, p99", f.p99, z.p99, ""),
		pair("ms from change to ack, p50", f.ack50, 0, ""),
		pair("ms from change to ack, p99", f.ack99, 0, ""),
		pair("ms that the load came late, p99", f.late, z.late, ""))
	fmt.Printf("\nEnded by the server: %d; deltas that did not follow: %d; members who know the list at the end: %d of %d (budget: 0, 0, all).\n", lost, f.missed, same, hallSize)
	return nil
}

func atRandom(members []*member) func() *member {
	return func() *member { return members[rand.IntN(len(members))] }
}

// agreed counts the members who know the version of the list that the server gives. Of
// those who kept all that they were told, what that comes to must be that list.
func agreed(server *process, members []*member) (n int, err error) {
	ask, err := http.NewRequest(http.MethodGet, "http://"+server.address+prefix+"/project/"+members[0].room+"/presence/list/", nil)
	if err != nil {
		return 0, err
	}
	ask.Header.Set("Authorization", "Bearer "+members[0].person.token)
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var due told
	if err := json.NewDecoder(answer.Body).Decode(&due); err != nil {
		return 0, err
	}
	for _, m := range members {
		if m.version == due.Version {
			n++
		}
		if !m.keeps {
			continue
		}
		var list []user
		for _, text := range m.kept {
			var t told
			if err := json.Unmarshal(text, &t); err != nil {
				return 0, err
			}
			list = t.fold(list)
		}
		if len(list) != len(members) || !slices.EqualFunc(list, due.Users, user.looksLike) {
			return 0, fmt.Errorf("%s folded a list of %d people that is not the server's, of %d", m.person.name, len(list), len(due.Users))
		}
	}
	return n, nil
}

// told is a snapshot, a delta, or the answer of list.
type told struct {
	Type           string
	Version        int
	Users, Changed []user
	At             []int
	Left           []any
}

type user map[string]any

// looksLike compares all but last_seen, which no delta is sent for.
func (u user) looksLike(other user) bool {
	u, other = maps.Clone(u), maps.Clone(other)
	delete(u, "last_seen")
	delete(other, "last_seen")
	return reflect.DeepEqual(u, other)
}

// fold is what docs/reference/protocol.md says of how to apply a delta.
func (t told) fold(list []user) []user {
	if t.Type == "snapshot" {
		return t.Users
	}
	out := map[any]bool{}
	for _, id := range t.Left {
		out[id] = true
	}
	for _, u := range t.Changed {
		out[u["user_id"]] = true
	}
	list = slices.DeleteFunc(slices.Clone(list), func(u user) bool { return out[u["user_id"]] })
	for i, u := range t.Changed {
		list = slices.Insert(list, t.At[i], u)
	}
	return list
}

// comeback is what it takes that all come back: seconds, µs of CPU each, and ms.
type comeback struct{ took, cpu, p50, p99 float64 }

// cutAll cuts all connections at once, and has them come back.
func (c *crowd) cutAll(server *process, every time.Duration) (f comeback, err error) {
	c.reset()
	before, err := server.cpuTime()
	if err != nil {
		return f, err
	}
	began := time.Now()
	c.cut(c.members)
	err = c.connect(c.members, stormily, every)
	f.took = time.Since(began).Seconds()
	err = errors.Join(err, c.during(lateTime, nil), c.whole())
	after, failed := server.cpuTime()
	f.cpu = float64((after - before).Microseconds()) / float64(len(c.members))
	f.p50, f.p99 = c.welcomes.share(0.5), c.welcomes.share(0.99)
	return f, errors.Join(err, failed)
}

func (b *liveBench) storm() error {
	ours, err := b.ours()
	if err != nil {
		return err
	}
	storms, spread, err := b.stormsOf(ours)
	if err != nil {
		return err
	}
	bare, err := b.bare(0)
	if err != nil {
		return err
	}
	bareStorms, bareSpread, err := b.stormsOf(bare)
	if err != nil {
		return err
	}
	took := func(f comeback) float64 { return f.took }
	cpu := func(f comeback) float64 { return f.cpu }
	table(
		pair("at once: s until all know who is here", median(storms, took), median(bareStorms, took), ""),
		pair("at once: µs CPU each", median(storms, cpu), median(bareStorms, cpu), ""),
		pair("at once: ms from hello to snapshot, p50", median(storms, func(f comeback) float64 { return f.p50 }), 0, ""),
		pair("at once: ms from hello to snapshot, p99", median(storms, func(f comeback) float64 { return f.p99 }), 0, ""),
		pair(fmt.Sprintf("over %v: s until all know who is here", spreadTime), spread.took, bareSpread.took, ""),
		pair(fmt.Sprintf("over %v: µs CPU each", spreadTime), spread.cpu, bareSpread.cpu, ""),
		pair(fmt.Sprintf("over %v: ms from hello to snapshot, p50", spreadTime), spread.p50, 0, ""),
		pair(fmt.Sprintf("over %v: ms from hello to snapshot, p99", spreadTime), spread.p99, 0, ""))
	return nil
}

// stormsOf measures a server, and stops it.
func (b *liveBench) stormsOf(server *process) (storms []comeback, spread comeback, err error) {
	defer server.stop()
	c, err := newCrowd()
	if err != nil {
		return nil, spread, err
	}
	defer c.close()
	members := c.add(server, b.everybody, roomSize)
	if err := c.connect(members, gently, 0); err != nil {
		return nil, spread, err
	}
	for range stormRounds {
		f, err := c.cutAll(server, 0)
		if err != nil {
			return nil, spread, err
		}
		storms = append(storms, f)
	}
	spread, err = c.cutAll(server, spreadTime/time.Duration(len(members)))
	return storms, spread, err
}
