package web_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	presence "writer-presence"
)

// entry is what a writer asked of a section: to edit it, carefully or not, or to leave.
type entry struct {
	who, seq                 int
	leave, careful, overHTTP bool
}

// outcome is what the answer said.
type outcome struct {
	edits     bool
	conflicts uint // a bit for each writer
}

// rule5 is what the section has to look like to somebody who sees one step after the other:
// the state has a bit for each writer who edits.
var rule5 = porcupine.Model{
	Init: func() any { return uint(0) },
	Step: func(state, input, output any) (bool, any) {
		editing, in, out := state.(uint), input.(entry), output.(outcome)
		self := uint(1) << in.who
		others := editing &^ self
		if in.leave {
			return true, others
		}
		edits := !in.careful || others == 0 || editing&self != 0
		if out.conflicts != others || out.edits != edits {
			return false, state
		}
		if edits {
			return true, others | self
		}
		return true, others
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

// TestRule5OverConnectionsIsAsIfOneEnteredAfterTheOther lets writers enter and leave one
// section at once, over real connections, live and by polling, and looks for an order in
// which all answers are right.
func TestRule5OverConnectionsIsAsIfOneEnteredAfterTheOther(t *testing.T) { // case 21
	const writers, steps = 6, 60
	w := newWorld(t)
	host := w.listen()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	began := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var all sync.WaitGroup
	for who := range writers {
		random := rand.New(rand.NewPCG(seed, uint64(who)))
		p := w.as(fmt.Sprintf("Writer %d", who), presence.UserID(fmt.Sprint(who)))
		s := w.dialLive(host, p)
		s.say("hello", `"session": "tab", "seq": 1`)
		s.next("ack")
		s.next("snapshot")
		all.Go(func() {
			for seq := range steps {
				in := entry{who: who, seq: seq + 2, leave: random.IntN(3) == 0, careful: random.IntN(2) == 0, overHTTP: random.IntN(3) == 0}
				called := time.Since(began)
				out := in.take(p, s)
				returned := time.Since(began)
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: who, Input: in, Output: out, Call: int64(called), Return: int64(returned)})
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if !porcupine.CheckOperations(rule5, history) {
		t.Errorf("of %d answers there is no order in which all are right", len(history))
	}
}

// take goes where it says, and gives what the answer was. Who leaves goes to no section:
// the session stays.
func (in entry) take(p *person, s *socket) (out outcome) {
	section := "s"
	if in.leave {
		section = ""
	}
	body := fmt.Sprintf(`{"session": "tab", "seq": %d, "section": %q, "unless_occupied": %v}`, in.seq, section, in.careful)
	var activity string
	var conflicts []user
	if in.overHTTP {
		r := p.update(body)
		activity, conflicts = r.Activity, r.Conflicts
	} else {
		s.say("update", body)
		ack := s.ack()
		activity, conflicts = ack.Activity, ack.Conflicts
	}
	out.edits = activity == "editing"
	for _, u := range conflicts {
		out.conflicts |= 1 << uint(u.ID.(float64))
	}
	return out
}

// listen serves live connections over TCP, and gives where.
func (w *world) listen() (host string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	return w.listenOn(l)
}

// dialLive opens a live connection over TCP.
func (w *world) dialLive(host string, p *person) *socket {
	w.t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	io.WriteString(conn, handshake(host, livePath, "Authorization", "Bearer "+p.token))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		w.t.Fatalf("the handshake was answered %v, %v", answer, err)
	}
	s := &socket{t: w.t, conn: conn, in: make(chan message, 10_000), closed: make(chan struct{})}
	w.t.Cleanup(func() {
		conn.Close()
		<-s.closed
	})
	go s.read(r)
	return s
}

// ack gives the next ack, whatever else is told before.
func (s *socket) ack() message {
	s.t.Helper()
	for {
		m, why := s.take(10 * time.Second)
		if why != "" {
			s.t.Errorf("%s; due is an ack", why)
			return message{}
		}
		if m.Type == "ack" {
			return m
		}
	}
}
