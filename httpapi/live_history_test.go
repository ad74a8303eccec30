package httpapi_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

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
