package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// benchCase is a mix of requests that many people send.
type benchCase struct {
	name    string
	clients func(address string) ([]*client, error)
}

const (
	prefix   = "/writer/api"
	firstSeq = 1_000_000_000 // all that follow have as many digits
)

var cases = []benchCase{
	{"whole poll as one heartbeat, 10 people", func(a string) ([]*client, error) { return heartbeats(a, 10) }},
	{"whole poll as one heartbeat, 100 people", func(a string) ([]*client, error) { return heartbeats(a, 100) }},
	{"the note's mix (update, list), 10 people", func(a string) ([]*client, error) { return noteMix(a, 10, "") }},
	{"the note's mix (update, list), 100 people", func(a string) ([]*client, error) { return noteMix(a, 100, "") }},
	{"the note's mix, all in one section, 100 people", func(a string) ([]*client, error) { return noteMix(a, 100, "abstract") }},
	{"list of 100 people", func(a string) ([]*client, error) { return lists(a, 100, false) }},
	{"list of 100 people, unchanged (304)", func(a string) ([]*client, error) { return lists(a, 100, true) }},
	{"durable update, 64 writers", func(a string) ([]*client, error) { return durable(a, 64) }},
}

// person is somebody with a token.
type person struct {
	name, token string
}

func people(address string, n int) ([]person, error) {
	var all []person
	for i := range n {
		name := fmt.Sprintf("Writer %d", i)
		body, _ := json.Marshal(map[string]any{"username": name, "user_id": i + 1})
		answer, err := http.Post("http://"+address+prefix+"/dev/token/", "application/json", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		var token struct{ Token string }
		err = json.NewDecoder(answer.Body).Decode(&token)
		answer.Body.Close()
		if err != nil {
			return nil, err
		}
		all = append(all, person{name, token.Token})
	}
	return all, nil
}

// inTen shares requests out to ten connections.
func inTen(requests [][]*request, address string) []*client {
	clients := make([]*client, min(10, len(requests)))
	for i, rs := range requests {
		c := &clients[i%len(clients)]
		if *c == nil {
			*c = &client{address: address}
		}
		(*c).requests = append((*c).requests, rs...)
	}
	return clients
}

// heartbeats are those of people of whom nobody moves.
func heartbeats(address string, n int) ([]*client, error) {
	everybody, err := people(address, n)
	if err != nil {
		return nil, err
	}
	beat := func(i int, known string) *request {
		return update(everybody[i], fmt.Sprintf(`{"section":"manuscript/s%d","session":"tab-%d-of-somebody","seq":%d,"activity":"editing","unless_occupied":true,"known_version":%s}`, i, i, firstSeq, known))
	}
	var version struct{ Version json.Number }
	for i := range everybody { // all come, and the last one sees the version
		answer, err := answerOf(address, beat(i, "0"))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(answer, &version); err != nil {
			return nil, err
		}
	}
	var requests [][]*request
	for i := range everybody {
		r := beat(i, version.Version.String())
		r.seq++
		requests = append(requests, []*request{r})
	}
	return inTen(requests, address), nil
}

// noteMix is what pages with the note's own JavaScript send: an update and a list each.
func noteMix(address string, n int, section string) ([]*client, error) {
	everybody, err := people(address, n)
	if err != nil {
		return nil, err
	}
	var requests [][]*request
	for i, p := range everybody {
		at := section
		if at == "" {
			at = fmt.Sprintf("s%d", i)
		}
		u := update(p, fmt.Sprintf(`{"section":"manuscript/%s"}`, at))
		if _, err := answerOf(address, u); err != nil {
			return nil, err
		}
		requests = append(requests, []*request{u, list(p, "")})
	}
	return inTen(requests, address), nil
}

func lists(address string, n int, known bool) ([]*client, error) {
	clients, err := noteMix(address, n, "")
	if err != nil {
		return nil, err
	}
	everybody, err := people(address, n)
	if err != nil {
		return nil, err
	}
	tag := ""
	if known {
		answer, err := answerOf(address, clients[0].requests[1])
		if err != nil {
			return nil, err
		}
		var version struct{ Version json.Number }
		if err := json.Unmarshal(answer, &version); err != nil {
			return nil, err
		}
		tag = `W/"` + version.Version.String() + `"`
	}
	var requests [][]*request
	for _, p := range everybody {
		requests = append(requests, []*request{list(p, tag)})
	}
	return inTen(requests, address), nil
}

// durable are updates of which each changes the section, and so waits for its commit.
func durable(address string, n int) ([]*client, error) {
	everybody, err := people(address, n)
	if err != nil {
		return nil, err
	}
	var clients []*client
	for i, p := range everybody {
		r := update(p, fmt.Sprintf(`{"section":"manuscript/s%d-A","session":"tab-%d","seq":%d}`, i, i, firstSeq))
		r.flipAt, r.flip = bytes.Index(r.text, []byte(`-A"`))+1, [2]byte{'A', 'B'}
		clients = append(clients, &client{address: address, requests: []*request{r}})
	}
	return clients, nil
}

func update(p person, body string) *request {
	text := fmt.Appendf(nil, "POST %s/project/demo/presence/update/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		prefix, p.token, len(body), body)
	r := &request{text: text, seq: firstSeq}
	if at := bytes.Index(text, []byte(`"seq":`)); at > 0 {
		r.seqAt = at + len(`"seq":`)
	}
	return r
}

func list(p person, tag string) *request {
	condition := ""
	if tag != "" {
		condition = "If-None-Match: " + tag + "\r\n"
	}
	return &request{text: fmt.Appendf(nil, "GET %s/project/demo/presence/list/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s\r\n", prefix, p.token, condition)}
}
