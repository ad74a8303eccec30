package main

import (
	"slices"
	"testing"
	"time"
)

// A session without seq continues on another connection, or by polling, on the same or another node. Then its first
// connection breaks, which must not end the session.
func TestSessionOutlivesTheConnectionThatItHasReplaced(t *testing.T) { // rule 9
	t.Parallel()
	n := startNodes(t, 2, time.Minute, 20*time.Second) // the lease must be far above BrokenGrace
	reader := n.servers[0].token("Reader")
	open := func(node int, token string) *liveClient {
		t.Helper()
		c, err := dialLive(n.servers[node].url, "p", "Authorization", "Bearer "+token)
		if err != nil {
			t.Fatal(err)
		}
		if answer := c.send(`{"type": "hello", "session": "tab", "section": "s"}`); answer != "ack" {
			t.Fatalf("a hello at node %d was answered %s", node, answer)
		}
		return c
	}
	update := func(node int, token string) {
		t.Helper()
		if reply, status := n.post(node, "update", token, `{"session": "tab", "section": "s"}`); status != 200 {
			t.Fatalf("an update at node %d was answered %d %s", node, status, reply.Code)
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
		{"nothing", func(string) {}}, // comes last, so the others have had as much time to disappear
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
	n.waitForList(reader, 5*time.Second, []int{0, 1}, all...)
	for _, c := range first {
		c.NetConn().Close() // without a close frame
	}
	want := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "nothing s" })
	n.waitForList(reader, 25*time.Second, []int{0, 1}, want...)
	for _, p := range people { // the sessions can still be renewed
		if p.name != "nothing" {
			update(1, n.servers[0].token(p.name))
		}
	}
	if users, _, status := n.list(1, reader); !slices.Equal(users, want) {
		t.Errorf("after a renewal the list is %q, status %d; want %q", users, status, want)
	}
}
