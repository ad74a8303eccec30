package main

import (
	"slices"
	"testing"
	"time"
)

// A session without seq goes on by another connection, or by polling, on another node or the same one; then its first
// connection breaks. It must stay: the broken connection is not the session's any more.
func TestASessionThatWasTakenOverOutlivesItsBrokenConnection(t *testing.T) { // rule 9
	t.Parallel()
	n := startNodesWith(t, 2, time.Minute, 20*time.Second) // a lease far above BrokenGrace
	reader := n.servers[0].token("Reader")
	open := func(node int, token string) *liveClient {
		t.Helper()
		c, err := dialLive(n.servers[node].url, "p", "Authorization", "Bearer "+token)
		if err != nil {
			t.Fatal(err)
		}
		if said := c.answer(`{"type": "hello", "session": "tab", "section": "s"}`); said != "ack" {
			t.Fatalf("a hello at node %d was answered %s", node, said)
		}
		return c
	}
	update := func(node int, token string) {
		t.Helper()
		if answer, status := n.say(node, "update", token, `{"session": "tab", "section": "s"}`); status != 200 {
			t.Fatalf("an update at node %d was answered %d %s", node, status, answer.Code)
		}
	}
	people := []struct {
		name     string
		takeOver func(token string)
	}{
		{"live on the other node", func(token string) { open(1, token) }},
		{"live on the same node", func(token string) { open(0, token) }},
		{"polling the other node", func(token string) { update(1, token) }},
		{"polling the same node", func(token string) { update(0, token) }},
		{"live there and then polling here", func(token string) { open(1, token); update(0, token) }},
		{"nothing", func(string) {}}, // the last: it is gone when the others would be
	}
	var all []string
	var first []*liveClient
	for _, p := range people {
		token := n.servers[0].token(p.name)
		first = append(first, open(0, token))
		p.takeOver(token)
		all = append(all, p.name+" s")
	}
	slices.Sort(all)
	n.agree(reader, 5*time.Second, []int{0, 1}, all...)
	for _, c := range first {
		c.NetConn().Close() // without a close frame
	}
	due := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "nothing s" })
	n.agree(reader, 25*time.Second, []int{0, 1}, due...)
	for _, p := range people { // and it renews as if nothing had happened
		if p.name != "nothing" {
			update(1, n.servers[0].token(p.name))
		}
	}
	if seen, _, status := n.list(1, reader); !slices.Equal(seen, due) {
		t.Errorf("after a renewal are listed %q, status %d; want %q", seen, status, due)
	}
}
