package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/storetest"
)

// TestRule5OverConnectionsIsAsIfOneEnteredAfterTheOther lets writers enter and leave one
// section at once, over real connections, live and by polling, and looks for an order in
// which all answers are right.
func TestRule5OverConnectionsIsAsIfOneEnteredAfterTheOther(t *testing.T) { // case 21
	const writers, steps = 6, 60
	w := newWorld(t)
	host := w.listen()
	var people []*person
	var sockets []*socket
	for who := range writers {
		p := w.as(fmt.Sprintf("Writer %d", who), presence.UserID(fmt.Sprint(who)))
		s := w.dialLive(host, p)
		s.say("hello", `"session": "tab", "seq": 1`)
		s.next("ack")
		s.next("snapshot")
		people, sockets = append(people, p), append(sockets, s)
	}
	storetest.Enter(t, writers, steps, func(in storetest.Entry, random *rand.Rand) storetest.Outcome {
		return take(in, people[in.Who], sockets[in.Who], random.IntN(3) == 0)
	})
}

// take goes where it says, and gives what the answer was. Who leaves goes to no section:
// the session stays.
func take(in storetest.Entry, p *person, s *socket, overHTTP bool) (out storetest.Outcome) {
	section := "s"
	if in.Leave {
		section = ""
	}
	body := fmt.Sprintf(`{"session": "tab", "seq": %d, "section": %q, "unless_occupied": %v}`, in.Seq+1, section, in.Careful)
	var activity string
	var conflicts []user
	if overHTTP {
		r := p.update(body)
		activity, conflicts = r.Activity, r.Conflicts
	} else {
		s.say("update", body)
		ack := s.ack()
		activity, conflicts = ack.Activity, ack.Conflicts
	}
	out.Edits = activity == "editing"
	for _, u := range conflicts {
		out.Conflicts |= 1 << uint(u.ID.(float64))
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
