package redisstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// A Redis user may be allowed to subscribe to some channels only. The errors of the others must not count
// for these.
func TestSubscriptionErrorsAreKeptPerChannel(t *testing.T) {
	t.Parallel()
	const rejected, accepted = presence.Project("rejected"), presence.Project("accepted")
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "some", "on", ">"+secret, "~*", "&*", "+@all")
	proxy := redistest.StartProxy(t, server.Addr)
	log := &logBuffer{}
	s := openWith(t, "redis://some:"+secret+"@"+proxy.Addr, redisstore.Options{Log: log.logger()})
	ready(t, s)

	channels := []string{"ACL", "SETUSER", "some", "resetchannels", "&writer-presence:probe:*", "&" + redisstore.ProjectKey(accepted)}
	server.Do(channels...)
	s.Watch(rejected, func() {})
	until(t, "the error of the subscription is recorded", func() bool { return s.SubscriptionError(rejected) != nil })
	if err := s.SubscriptionError(rejected); !strings.Contains(err.Error(), "NOPERM") || !strings.Contains(err.Error(), string(rejected)) {
		t.Errorf("the error is %v; want one with NOPERM and the channel", err)
	}
	until(t, "the log has the error", func() bool { return log.count("Redis rejects a subscription") == 1 })
	s.Watch(accepted, func() {})
	until(t, "the other project is subscribed", func() bool { return s.Receives(accepted) })
	if s.SubscriptionError(rejected) == nil {
		t.Error("the success of one subscription clears the error of another")
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("the error of one project makes the node not ready: %v", err)
	}

	proxy.DropMessages() // the rejected subscription is not the reason
	var err error
	until(t, "the node is degraded", func() bool { err = s.Ready(t.Context()); return err != nil })
	if !strings.Contains(err.Error(), "wake-ups") || strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("the node is degraded with %v; want no error of the rejected subscription", err)
	}
	proxy.Pass()

	server.Do("ACL", "SETUSER", "some", "&*")
	until(t, "the rejected project is subscribed", func() bool { return s.Receives(rejected) && s.SubscriptionError(rejected) == nil })
	until(t, "the log has the end of the rejections", func() bool { return log.count("Redis accepts subscriptions again") == 1 })
}

// Published messages are lost while everything else works.
func TestNodesWithoutWakeUpsAskRedis(t *testing.T) { // case 36
	t.Parallel()
	nodes := startNodes(t, 2, redistest.Start(t), shortLease)
	screens := []*screen{nodes[0].watch(project), nodes[1].watch(project)}
	nodes[0].keepAlive("Alice", "a")
	agree(t, nodes, screens, "Alice", recoveryTime)
	for _, n := range nodes {
		n.proxy.DropMessages()
	}
	nodes[0].keepAlive("Bob", "a")
	agree(t, nodes, screens, "Alice Bob", recoveryTime+time.Second) // includes the time to notice the fault
	for _, n := range nodes {
		n.until("it is degraded", recoveryTime, func() bool {
			err := n.store.Ready(context.Background())
			return err != nil && strings.Contains(err.Error(), "wake-ups")
		})
	}
	nodes[1].keepAlive("Carol", "a")
	agree(t, nodes, screens, "Alice Bob Carol", 3*time.Second) // each node asks every second
	for _, n := range nodes {
		n.proxy.Pass()
	}
	for _, n := range nodes {
		n.untilReady(recoveryTime)
	}
	nodes[1].keepAlive("Dora", "a")
	agree(t, nodes, screens, "Alice Bob Carol Dora", recoveryTime)
}

// Wake-ups are lost for less time than a node needs to call itself degraded. It finds the gap by the
// numbers of the probe messages.
func TestWakeUpLostInAShortFaultIsNoticed(t *testing.T) { // invariant 7
	t.Parallel()
	nodes := startNodes(t, 2, redistest.Start(t), presence.DefaultLease)
	screens := []*screen{nodes[0].watch(project), nodes[1].watch(project)}
	nodes[0].update(project, writer("Zoe"), presence.Update{Section: "a", Session: "tab", Seq: 1})
	agree(t, nodes, screens, "Zoe", recoveryTime)
	nodes[1].untilReady(recoveryTime)
	// On a slow machine the fault can last long enough for the node to ask Redis; then it is tried again with another user.
	lost := false
	want := "Zoe"
	for _, name := range []string{"Alice", "Bob", "Carol", "Dan", "Eve"} {
		seen := want
		want = strings.Replace(want, "Zoe", name+" Zoe", 1)
		dropped := nodes[1].proxy.Dropped()
		nodes[1].proxy.DropMessages()
		nodes[0].update(project, writer(name), presence.Update{Section: "a"})
		nodes[1].until("the wake-up and a probe message are dropped", recoveryTime, func() bool { return nodes[1].proxy.Dropped() >= dropped+2 })
		nodes[1].proxy.Pass()
		names, _ := screens[1].shows()
		lost = names == seen
		agree(t, nil, screens, want, recoveryTime) // without calls of the nodes by the test
		if lost {
			break
		}
	}
	if !lost {
		t.Error("in no attempt a wake-up was lost, so this tested nothing")
	}
}
