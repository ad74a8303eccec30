//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/entering"
)

func TestUsersOfAKilledNodeAreListedUntilTheirLeaseExpires(t *testing.T) { // case 35, invariant 1
	n := startNodes(t, 2, shortLease, time.Second)
	reader := n.servers[0].token("Reader")
	n.sendHeartbeats(0, "Alice", "a")
	bob := n.servers[1].token("Bob")
	n.post(1, "update", bob, `{"session": "tab", "seq": 1, "section": "b"}`)
	n.waitForList(reader, 5*time.Second, []int{0, 1}, "Alice a", "Bob b")
	last := time.Now() // the lease begins later
	n.post(1, "update", bob, `{"session": "tab", "seq": 2, "section": "b"}`)
	renewed := time.Now() // the lease began earlier
	n.servers[1].cmd.Process.Kill()
	for answers := 0; ; answers++ {
		users, _, status := n.list(0, reader)
		if took := time.Since(last); took >= shortLease {
			if answers == 0 {
				t.Fatalf("the first list was answered %v after Bob's last update; want it before the lease expires", took)
			}
			break
		}
		if status != 200 || len(users) != 2 {
			t.Fatalf("%v after Bob's last update the list is %q, status %d; want both", time.Since(last), users, status)
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.waitForList(reader, time.Until(renewed.Add(shortLease+time.Second)), []int{0}, "Alice a")
}

// It stops a node that has received messages for longer than the lease.
func TestNodeThatWasPausedDoesNotUndoNewerUpdates(t *testing.T) { // rule 8, case 35
	n := startNodes(t, 2, shortLease, time.Second)
	reader, alice, bob := n.servers[0].token("Reader"), n.servers[0].token("Alice"), n.servers[0].token("Bob")
	n.sendHeartbeats(0, "Dora", "d")
	n.post(1, "update", alice, `{"session": "tab", "seq": 1, "section": "old"}`)
	n.post(1, "update", bob, `{"session": "tab", "seq": 1, "section": "old"}`)
	n.waitForList(reader, 5*time.Second, []int{0, 1}, "Alice old", "Bob old", "Dora d")
	n.servers[1].cmd.Process.Signal(syscall.SIGSTOP)
	paused := time.Now()
	late := make(chan int, 2)
	for _, token := range []string{alice, bob} { // their next messages go to the other node
		go func() {
			late <- n.servers[1].post("project/p/presence/update/", token, `{"session": "tab", "seq": 2, "section": "old"}`, &updateReply{})
		}()
	}
	n.post(0, "update", bob, `{"session": "tab", "seq": 3, "section": "new"}`)
	n.post(0, "leave", alice, `{"session": "tab", "seq": 3}`)
	n.sendHeartbeatsAfter(3, 0, "Bob", "new")
	version := n.waitForList(reader, time.Second, []int{0}, "Bob new", "Dora d")
	time.Sleep(time.Until(paused.Add(shortLease + time.Second))) // the leases of what node 1 received end
	n.servers[1].cmd.Process.Signal(syscall.SIGCONT)
	for range 2 {
		if status := <-late; status != 200 && status != 503 {
			t.Errorf("a message that waited in the paused node was answered %d; want 200 or 503", status)
		}
	}
	if now := n.waitForList(reader, 2*time.Second, []int{0, 1}, "Bob new", "Dora d"); now != version {
		t.Errorf("the version went from %d to %d without a visible change", version, now)
	}
}

func TestNodeWithoutRedisAnswersUnavailableAndRecovers(t *testing.T) { // rule 13, case 30
	n := startNodes(t, 2, shortLease, time.Second)
	reader := n.servers[0].token("Reader")
	n.sendHeartbeats(0, "Alice", "a")
	n.sendHeartbeats(1, "Bob", "b")
	before := n.waitForList(reader, 5*time.Second, []int{0, 1}, "Alice a", "Bob b")
	n.proxies[1].Cut()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		users, _, status := n.list(1, reader)
		if status == 503 {
			break
		}
		if len(users) == 0 {
			t.Fatalf("the node without Redis lists nobody, status %d; want the last list or 503", status)
		}
		if time.Since(began) > 6*time.Second {
			t.Fatalf("after %v the node without Redis still lists %q; want 503", time.Since(began), users)
		}
	}
	if reply, status := n.post(1, "update", n.servers[1].token("Carol"), `{"section": "a"}`); status != 503 || reply.Code != "unavailable" {
		t.Errorf("an update at the node without Redis was answered %d %q; want 503 unavailable", status, reply.Code)
	}
	n.waitForList(reader, shortLease+time.Second, []int{0}, "Alice a") // Bob's heartbeats do not reach Redis
	n.proxies[1].Pass()
	if after := n.waitForList(reader, 5*time.Second, []int{0, 1}, "Alice a", "Bob b"); after <= before {
		t.Errorf("the version went from %d to %d", before, after)
	}
}

func TestOneOfTwoWhoEnterAtOnceIsWarnedAcrossNodes(t *testing.T) { // case 21, invariant 5
	const writers = 6
	n := startNodes(t, 3, shortLease, time.Second)
	tokens := make([]string, writers)
	for i := range tokens {
		tokens[i] = n.servers[0].token(fmt.Sprint(i))
	}
	entering.Run(t, writers, 60, func(in entering.Entry, random *rand.Rand) (out entering.Outcome) {
		reply, status := n.post(random.IntN(len(n.servers)), "update", tokens[in.Who], in.JSON("s", in.Seq))
		if status != 200 {
			t.Errorf("an update was answered %d %q", status, reply.Code)
		}
		out.Edits = reply.Activity == "editing"
		for _, u := range reply.Conflicts {
			var who int
			fmt.Sscan(u.Username, &who)
			out.Conflicts |= 1 << who
		}
		return out
	})
}
