package redisstore_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

const secret = "s3cret-word"

// TestWhatKeepsARedisFromBeingUsedIsSaidInASentence opens stores in servers that will not
// do. The sentence says which, and what to do, and has no password in it.
func TestWhatKeepsARedisFromBeingUsedIsSaidInASentence(t *testing.T) { // invariant 12, case 42
	t.Parallel()
	server := redistest.Start(t)
	closed := redistest.Start(t, "--requirepass", secret)
	full := redistest.Start(t, "--maxmemory", "1000", "--maxmemory-policy", "noeviction")
	replica := redistest.StartReplica(t, server)
	frozen := redistest.Start(t)
	frozen.Freeze()
	cluster := redistest.StartCluster(t, 1)[0]
	sentinel := redistest.StartSentinel(t, server, replica)
	discreet := redistest.StartSentinel(t, server, replica, "requirepass "+secret)
	gone := redistest.Start(t)
	gone.Kill()
	server.Do("ACL", "SETUSER", "poor", "on", ">"+secret, "~other:*", "&*", "+@all", "-@dangerous")
	server.Do("ACL", "SETUSER", "mute", "on", ">"+secret, "~writer-presence:*", "resetchannels", "+@all", "-@dangerous")
	for _, c := range []struct{ name, url, due string }{
		{"unreachable", gone.URL(), "see that it runs"},
		{"does not answer", frozen.URL(), "see that it runs"},
		{"wants a password", closed.URL(), "give the right user and password"},
		{"another password", "redis://:" + secret + "x@" + closed.Addr, "give the right user and password"},
		{"an unknown user", "redis://nobody:" + secret + "@" + server.Addr, "give the right user and password"},
		{"may not use the keys", "redis://poor:" + secret + "@" + server.Addr, "~writer-presence:*"},
		{"may not use the channels", "redis://mute:" + secret + "@" + server.Addr, "&writer-presence:*"},
		{"a replica", replica.URL(), "give the address of the master"},
		{"without that database", server.URL() + "/99", "no database 99"},
		{"a cluster, which has no other database", cluster.URL() + "/1", "no database 1"},
		{"without memory", full.URL(), "maxmemory"},
		{"TLS to a server without", "rediss://" + server.Addr, "speaks TLS there"},
		{"Sentinels without that master", strings.Replace(sentinel, redistest.Master, "readers", 1), "know a master of that name"},
		{"Sentinels that want a password", discreet, "&sentinel_password="},
		{"another password for Sentinels", discreet + "&sentinel_password=" + secret + "x", "&sentinel_password="},
		{"no Sentinel", server.URL() + "?master_set=" + redistest.Master, "is no Sentinel"},
		{"no address", "redis://user:" + secret + "@host:port", "cannot be read"},
		{"a password not written as in a URL", "redis://:" + secret + "/and+more=@" + server.Addr, "%2F"},
		{"an unknown parameter", server.URL() + "?password=" + secret, "is none of addr,"},
		{"a password with a slash after digits", "redis://user:123/" + secret + "@" + server.Addr, "%2F"},
		{"a parameter with a wrong escape", server.URL() + "?master_set=m&sentinel_password=%zz" + secret, "%2F"},
		{"a password with a question mark", "redis://:123?" + secret + "@" + server.Addr, "is none of addr,"},
		{"an empty parameter", server.URL() + "?addr=", "addr is empty"},
		{"a Sentinel's password without Sentinels", server.URL() + "?sentinel_password=" + secret, "goes with master_set"},
		{"no cluster", server.URL() + "?addr=" + server.Addr, "is no cluster"},
		{"not Redis", "http://:" + secret + "@127.0.0.1", "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			s, err := redisstore.Open(t.Context(), c.url, redisstore.Options{})
			if err == nil {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				s.Run(ctx) // which closes it
			}
			if err == nil || !strings.Contains(err.Error(), c.due) {
				t.Fatalf("%v; due: an error with %q", err, c.due)
			}
			t.Log(err)
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it has a password in it, or is not one line: %q", err)
			}
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// least is what a user of Redis needs: for a cluster the second line, too, by Sentinels the
// third, and for another database than 0 the fourth.
const least = `resetchannels ~writer-presence:* &writer-presence:* -@all +ping +eval +evalsha +time +hmget +hgetall +hget +hset +hdel +pexpire +publish +subscribe
	+spublish +ssubscribe +cluster|slots +cluster|shards +asking
	+role
	+select`

// Whoever may not do one of these is told so at the start, and not by the first page for which
// that is needed.
func TestAMissingRightEndsTheStart(t *testing.T) { // case 42
	t.Parallel()
	server := redistest.Start(t)
	rights := strings.Fields(strings.Split(least, "\n")[0])
	for i, right := range rights {
		if !strings.HasPrefix(right, "+") {
			continue
		}
		server.Do("SCRIPT", "FLUSH")
		server.Do(slices.Concat([]string{"ACL", "SETUSER", "few", "reset", "on", ">" + secret}, rights[:i], rights[i+1:])...)
		s, err := redisstore.Open(t.Context(), "redis://few:"+secret+"@"+server.Addr, redisstore.Options{})
		if err == nil {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			s.Run(ctx) // which closes it
		}
		if err == nil || !strings.Contains(err.Error(), "let the user run the commands in docs/how-to/several-nodes.md") {
			t.Errorf("without %s: %v; due: that there is a list of what a user needs", right, err)
		}
	}
}

func TestTheLeastThatAUserMayIsToRunTheseCommandsOnKeysAndChannelsThatBeginWithWriterPresence(t *testing.T) {
	t.Parallel()
	rights := strings.Split(least, "\n")
	told, err := os.ReadFile("../docs/how-to/several-nodes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, right := range strings.Fields(least) {
		if !strings.Contains(string(told), right) {
			t.Errorf("docs/how-to/several-nodes.md does not say that the user needs %s", right)
		}
	}
	allow := func(server *redistest.Server, rights string) {
		server.Do(append([]string{"ACL", "SETUSER", "few", "on", ">" + secret}, strings.Fields(rights)...)...)
	}
	single, another, cluster, master := redistest.Start(t), redistest.Start(t), redistest.StartCluster(t, 2), redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	allow(single, rights[0])
	allow(another, rights[0]+rights[3])
	for _, n := range cluster {
		allow(n, rights[0]+rights[1])
	}
	allow(master, rights[0]+rights[2])
	allow(replica, rights[0]+rights[2])
	sentinel := redistest.StartSentinel(t, master, replica, "requirepass of-the-sentinel")
	for _, url := range []string{"redis://" + single.Addr, "redis://" + another.Addr + "/1", "redis://" + cluster[0].Addr, sentinel + "&sentinel_password=of-the-sentinel"} {
		nodes := []*node{}
		for range 2 {
			nodes = append(nodes, startNode(t, strings.Replace(url, "//", "//few:"+secret+"@", 1), nil, leaseHere))
		}
		screens := []*screen{nodes[0].watch(page), nodes[1].watch(page)}
		nodes[0].update(page, writer("Alice"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
		nodes[1].update(page, writer("Bob"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
		agree(t, nodes, screens, "Alice Bob", soon)
		nodes[1].leave(page, writer("Bob"), presence.Leave{Session: "tab", Seq: 2})
		agree(t, nodes, screens, "Alice", soon)
		agree(t, nodes, screens, "", leaseHere+time.Second)
	}
}

func TestVersionsThatAreTooOldAreRefused(t *testing.T) {
	for version, due := range map[string]int{
		"5.0.14": 0, "6.0.20": 0, "6.2.0": 6, "6.10.1": 6, "7.0.15": 7, "7.2.4": 7, "8.0": 8, "10.1.2": 10, "": 0, "new": 0, "6": 0,
	} {
		major, err := redisstore.MajorOf(version)
		if major != due || (err == nil) != (due > 0) || err != nil && !strings.Contains(err.Error(), "6.2 or later") {
			t.Errorf("version %q: %d, %v; due: %d", version, major, err, due)
		}
	}
}
