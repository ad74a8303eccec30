package redis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

const (
	workers = 8
	depth   = 16 // commands that a worker sends at once
)

// load sends recorded commands for people in rooms of one size.
type load struct {
	b           *bench
	commands    commands
	rooms, size int

	// Each worker uses the rooms whose number leaves its index as the remainder, and people in them.
	sent     [workers]int // operations
	versions []int64
	moved    []bool // which of two sections each person is in
	absent   []bool
}

func (b *bench) newLoad(rooms, size int, lease time.Duration) *load {
	return &load{b: b, commands: b.record(lease), rooms: rooms, size: size,
		versions: make([]int64, rooms), moved: make([]bool, rooms*size), absent: make([]bool, rooms*size)}
}

// operation returns the command of one person.
type operation func(l *load, person int) []string

func renew(l *load, _ int) []string        { return l.commands.update }
func snapshot(l *load, _ int) []string     { return l.commands.snapshot }
func versionCheck(l *load, _ int) []string { return l.commands.versionCheck }
func noop(l *load, _ int) []string         { return l.commands.noop }

func change(l *load, person int) []string {
	l.moved[person] = !l.moved[person]
	return l.commands.update
}

// leaveOrReturn has those who are present leave, and the others return.
func leaveOrReturn(l *load, person int) []string {
	l.absent[person] = !l.absent[person]
	if l.absent[person] {
		return l.commands.leave
	}
	return l.commands.update
}

// run sends operations until a time, or one for each person if that is zero. It returns their
// number, and how many of them resulted in a new version.
func (l *load) run(o operation, until time.Time) (n, newVersions int) {
	var mu sync.Mutex
	var running sync.WaitGroup
	var err error
	for w := range min(workers, l.rooms) {
		running.Go(func() {
			sent, raised, failed := l.work(w, o, until)
			mu.Lock()
			defer mu.Unlock()
			n, newVersions, err = n+sent, newVersions+raised, errors.Join(err, failed)
		})
	}
	running.Wait()
	l.b.Check(err)
	return n, newVersions
}

// work is the part of run of one worker. It goes through its rooms, one person in each, and then the next one.
func (l *load) work(w int, o operation, until time.Time) (n, newVersions int, err error) {
	rooms := (l.rooms - w + workers - 1) / workers
	for once := until.IsZero(); once && n < rooms*l.size || !once && time.Now().Before(until); {
		var batch []rueidis.Completed
		var batchRooms []int
		for range depth {
			if once && n == rooms*l.size {
				break
			}
			room := w + workers*(l.sent[w]%rooms)
			person := room*l.size + l.sent[w]/rooms%l.size
			words := o(l, person)
			section := 2 * person
			if l.moved[person] {
				section++
			}
			words = numbers{room: room, person: person, section: section, seq: firstSeq + int64(l.sent[w]), version: l.versions[room]}.fill(words)
			batch = append(batch, l.b.client.B().Arbitrary(words...).Build())
			batchRooms = append(batchRooms, room)
			l.sent[w]++
			n++
		}
		for i, result := range l.b.client.DoMulti(context.Background(), batch...) {
			if err := result.Error(); err != nil {
				return n, newVersions, err
			}
			reply, err := result.ToArray()
			if err != nil || len(reply) < 2 {
				continue // of the script that does nothing
			}
			if version, _ := reply[1].AsInt64(); version > l.versions[batchRooms[i]] {
				l.versions[batchRooms[i]] = version
				newVersions++
			}
		}
	}
	return n, newVersions, nil
}

// round measures operations for a while, after a shorter while to warm up. newVersions is for each operation.
func (l *load) round(o operation, warm, d time.Duration) (u usage, newVersions float64) {
	l.run(o, time.Now().Add(warm))
	u = l.b.measure(func() int {
		n, v := l.run(o, time.Now().Add(d))
		newVersions = float64(v) / float64(n)
		return n
	})
	return u, newVersions
}

// fill has everybody join, or renew.
func (l *load) fill() usage {
	clear(l.absent)
	return l.b.measure(func() int {
		n, _ := l.run(renew, time.Time{})
		return n
	})
}

// compare measures an operation in turns with the script that does nothing, and prints a line.
// The operation has to raise the version this many times.
func (l *load) compare(t *harness.Table, name string, o operation, versions float64) {
	rounds := harness.InTurns(l.b.Rounds, func() usage {
		u, newVersions := l.round(o, l.b.Warm, l.b.RoundTime)
		if math.Abs(newVersions-versions) > 0.02 {
			l.b.Check(fmt.Errorf("%s: %.3f new versions for each operation; want %v", name, newVersions, versions))
		}
		return u
	}, func() usage {
		u, _ := l.round(noop, l.b.Warm, l.b.RoundTime/2)
		return u
	})
	row(t, name, harness.Medians(rounds[0]), harness.Medians(rounds[1]).Micros, harness.MedianRatios(rounds[0], rounds[1]).Micros)
}
