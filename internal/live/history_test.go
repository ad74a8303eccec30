package live_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/entering"
)

// Writers enter and leave one section at the same time, live and by polling. There must be an order in which
// all replies are right.
func TestConcurrentEntriesAreLinearizable(t *testing.T) { // rules 5, 6 and 18, case 21
	const writers, steps = 6, 60
	w := servertest.New(t)
	host := w.Listen()
	var people []*servertest.Client
	var sockets []*servertest.Socket
	for who := range writers {
		p := w.As(fmt.Sprintf("Writer %d", who), presence.UserID(fmt.Sprint(who)))
		s := w.DialLive(host, p)
		s.Send("hello", `"session": "tab", "seq": 1`)
		s.Next("ack")
		s.Next("snapshot")
		people, sockets = append(people, p), append(sockets, s)
	}
	entering.Run(t, writers, steps, func(in entering.Entry, random *rand.Rand) entering.Outcome {
		return take(in, people[in.Who], sockets[in.Who], random.IntN(3) == 0)
	})
}

// take makes one entry, and returns its outcome. A leave is an update without a section.
func take(in entering.Entry, p *servertest.Client, s *servertest.Socket, overHTTP bool) (out entering.Outcome) {
	body := in.JSON("s", in.Seq+1)
	var activity string
	var conflicts []servertest.User
	if overHTTP {
		r := p.Update(body)
		activity, conflicts = r.Activity, r.Conflicts
	} else {
		s.Send("update", body)
		ack := s.SkipTo("ack")
		activity, conflicts = ack.Activity, ack.Conflicts
	}
	out.Edits = activity == "editing"
	for _, u := range conflicts {
		out.Conflicts |= 1 << uint(u.ID.(float64))
	}
	return out
}
