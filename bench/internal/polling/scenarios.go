// Package polling measures HTTP requests beside a bare net/http server that answers the same
// bytes, in turns within one run.
package polling

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// Sizes are how often and how long each server is measured.
type Sizes struct {
	Rounds    int // after one to warm up
	RoundTime time.Duration
}

var (
	Full  = Sizes{Rounds: 7, RoundTime: 2 * time.Second}
	Quick = Sizes{Rounds: 1, RoundTime: 20 * time.Millisecond}
)

var cases = []struct {
	name    string
	clients func(*fixture) []*client
}{
	{"whole poll as one heartbeat, 10 people", func(f *fixture) []*client { return f.heartbeats(10) }},
	{"whole poll as one heartbeat, 100 people", func(f *fixture) []*client { return f.heartbeats(100) }},
	{"update and list in turn, 10 people", func(f *fixture) []*client { return f.updateAndList(10) }},
	{"update and list in turn, 100 people", func(f *fixture) []*client { return f.updateAndList(100) }},
	{"durable update, 64 writers", func(f *fixture) []*client { return f.durableUpdates(64) }},
}

// Scenario compares the servers with each kind of request, sent as soon as the last answer is there, and with heartbeats at
// fixed rates, which leave the servers idle in between.
func Scenario(s Sizes) harness.Scenario {
	return harness.Scenario{Name: "polling, beside bare net/http", Run: func(r *harness.Run) {
		table := harness.NewTable(r.Out, 46, "ours: µs CPU, req/s", "bare: µs CPU, req/s", "CPU, ratio", "req/s, ratio")
		compare := func(name string, clients func(*fixture) []*client, round func(*Load) Result) {
			r.Sub(func(r *harness.Run) {
				f := &fixture{r, r.StartServer()}
				ours := &Load{r, f.server, r.CPU, clients(f)}
				bare := ours.Twin(r.StartYardstick("yardstick-http"))
				rounds := harness.InTurns(s.Rounds, func() Result { return round(ours) }, func() Result { return round(bare) })
				ratio := harness.MedianRatios(rounds[0], rounds[1])
				table.Row(name, harness.Medians(rounds[0]), harness.Medians(rounds[1]), ratio.CPU, ratio.Rate)
			})
		}
		for _, c := range cases {
			compare(c.name, c.clients, func(l *Load) Result { return l.Round(s.RoundTime) })
		}
		for _, perSecond := range []int{333, 5000, 20000} { // 333 are the polls of 10,000 people
			compare(fmt.Sprintf("heartbeat, 10 people, %d a second", perSecond), cases[0].clients, func(l *Load) Result { return l.RoundAt(perSecond, s.RoundTime) })
		}
	}}
}

// fixture makes the requests of a scenario.
type fixture struct {
	r      *harness.Run
	server *harness.Process
}

// version asks for an answer and returns the version in it.
func (f *fixture) version(q *request) string {
	var answer struct{ Version json.Number }
	f.r.Check(json.Unmarshal(ask(f.r, f.server, q), &answer))
	return answer.Version.String()
}

// onTenConnections distributes the requests of users to at most ten connections.
func onTenConnections(requests [][]*request) []*client {
	clients := make([]*client, min(10, len(requests)))
	for i := range clients {
		clients[i] = &client{}
	}
	for i, q := range requests {
		c := clients[i%len(clients)]
		c.requests = append(c.requests, q...)
	}
	return clients
}

// heartbeats are the polls of our client, of users none of whom changes section.
func (f *fixture) heartbeats(n int) []*client {
	users := f.r.Users(f.server, n)
	beat := func(i int, known string) *request {
		return update(authorization(users[i]), fmt.Sprintf(`{"section":"manuscript/s%d","session":"tab-%d-of-somebody","seq":%d,"activity":"editing","unless_occupied":true,"known_version":%s}`, i, i, firstSeq, known))
	}
	version := ""
	for i := range users { // the last of them gets the version that all will know
		version = f.version(beat(i, "0"))
	}
	var requests [][]*request
	for i := range users {
		q := beat(i, version)
		q.seq++
		requests = append(requests, []*request{q})
	}
	return onTenConnections(requests)
}

func (f *fixture) updateAndList(n int) []*client {
	headers := make([]string, n)
	for i, user := range f.r.Users(f.server, n) {
		headers[i] = authorization(user)
	}
	return specified(f.r, f.server, headers)
}

// durableUpdates change the section each time, so that each waits for a commit.
func (f *fixture) durableUpdates(n int) (clients []*client) {
	for i, user := range f.r.Users(f.server, n) {
		q := update(authorization(user), fmt.Sprintf(`{"section":"manuscript/s%d-A","session":"tab-%d","seq":%d}`, i, i, firstSeq))
		q.flipAt, q.flip = bytes.Index(q.text, []byte(`-A"`))+1, [2]byte{'A', 'B'}
		clients = append(clients, &client{requests: []*request{q}})
	}
	return clients
}

func authorization(user harness.User) string { return "Authorization: Bearer " + user.Token + "\r\n" }

// Project is the project of all requests.
const Project = "1"

const projectURL = harness.APIPrefix + "/project/" + Project + "/presence"

// update returns a request with the headers of a user, each of which ends in a line break.
func update(headers, body string) *request {
	text := fmt.Appendf(nil, "POST %s/update/ HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		projectURL, headers, len(body), body)
	q := &request{text: text, seq: firstSeq}
	if at := bytes.Index(text, []byte(`"seq":`)); at > 0 {
		q.seqAt = at + len(`"seq":`)
	}
	return q
}

// OursAsSpecified starts the measured server with n clients of the original specification, which send an update and a
// list each in turn.
func OursAsSpecified(r *harness.Run, n int) *Load {
	f := &fixture{r, r.StartServer()}
	return &Load{r, f.server, r.CPU, f.updateAndList(n)}
}

// Specified returns the same for another server: a client for each of the headers. Each ends in a line break. cpu
// returns the CPU time of the server so far, in µs.
func Specified(r *harness.Run, server *harness.Process, cpu func(...*harness.Process) float64, headers []string) *Load {
	return &Load{r, server, cpu, specified(r, server, headers)}
}

// specified returns what clients of the original specification send, one for each of the headers: an update and a list
// each. Every client has sent its update once.
func specified(r *harness.Run, server *harness.Process, headers []string) []*client {
	var requests [][]*request
	for i, h := range headers {
		u := update(h, fmt.Sprintf(`{"section":"manuscript/s%d"}`, i))
		ask(r, server, u)
		list := &request{text: fmt.Appendf(nil, "GET %s/list/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n", projectURL, h)}
		requests = append(requests, []*request{u, list})
	}
	return onTenConnections(requests)
}
