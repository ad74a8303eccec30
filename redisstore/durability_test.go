package redisstore_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

func TestRepliesSayDurableAsFarAsRedisPersists(t *testing.T) {
	t.Parallel()
	plain := redistest.Start(t)
	everysec := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	always := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	always.Do("ACL", "SETUSER", "few", "on", ">"+secret, "~*", "&*", "+@all", "-config")
	cluster := redistest.StartCluster(t, 1)[0]
	cluster.Do("CONFIG", "SET", "appendonly", "yes")
	cluster.Do("CONFIG", "SET", "appendfsync", "always")
	master := redistest.Start(t)
	redistest.StartReplica(t, master)
	for _, c := range []struct {
		name, url, durability string
		change, renewal       bool
	}{
		{"a plain server", plain.URL(), "", false, false},
		{"appendfsync everysec", everysec.URL(), "auto", false, false},
		{"appendfsync always", always.URL(), "auto", true, true},
		{"a user without CONFIG GET", "redis://few:" + secret + "@" + always.Addr, "auto", false, false},
		{"none with appendfsync always", always.URL(), "none", false, false},
		{"a cluster with appendfsync always", cluster.URL(), "auto", false, false},
		{"wait for one replica of one", master.URL(), "wait:1", true, true},
		{"wait for two replicas of one", master.URL(), "wait:2", false, false},
		{"a cluster without replicas", cluster.URL(), "wait:1", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openWith(t, c.url, redisstore.Options{Durability: c.durability})
			where := presence.Project(strings.ReplaceAll(c.name, " ", "-"))
			for _, step := range []struct {
				seq     uint64
				section presence.Section
				saved   presence.Saved
				want    bool
			}{
				{1, "a", presence.Saved{}, c.change},
				{2, "a", presence.Saved{}, c.renewal},
				{3, "b", presence.Saved{}, c.change},
				{4, "b", presence.Saved{Section: "b", Revision: "1"}, c.change},
			} {
				began := time.Now()
				reply, err := s.Update(t.Context(), where, alice, presence.Update{Session: "x", Seq: step.seq, Section: step.section, Saved: step.saved})
				if err != nil || reply.Durable != step.want || time.Since(began) > maxCall {
					t.Errorf("update %d took %v and has durable: %v, %v; want %v", step.seq, time.Since(began), reply.Durable, err, step.want)
				}
			}
			reply, err := s.Leave(t.Context(), where, alice, presence.Leave{Session: "x", Seq: 5})
			if err != nil || reply.Durable != c.change {
				t.Errorf("a leave has durable: %v, %v; want %v", reply.Durable, err, c.change)
			}
		})
	}
}

// A renewal does not wait until the change before it is durable.
func TestRenewalIsNotDurableUntilTheChangeBeforeItIs(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	s := openWith(t, master.URL(), redisstore.Options{Durability: "wait:1"})
	seq := uint64(0)
	send := func(section presence.Section) bool {
		t.Helper()
		seq++
		reply, err := s.Update(t.Context(), "p", alice, presence.Update{Session: "x", Seq: seq, Section: section})
		if err != nil {
			t.Fatal(err)
		}
		return reply.Durable
	}
	if !send("a") || !send("a") {
		t.Fatal("a change or a renewal is not durable although the replica is up")
	}
	replica.Kill()
	if send("b") {
		t.Fatal("a change is durable although the replica is down")
	}
	for range 3 {
		began := time.Now()
		if send("b") {
			t.Fatal("a renewal is durable after a change that is not")
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a renewal took %v; it must not wait for the replica", took)
		}
	}
	replica.Run()
	until(t, "renewals are durable again", func() bool { return send("b") })
	if !send("c") {
		t.Error("a change is not durable although the replica is up again")
	}
}

// A call that failed may still have changed the project.
func TestRenewalAfterAFailedUpdateIsNotDurableAtOnce(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	redistest.StartReplica(t, master)
	proxy := redistest.StartProxy(t, master.Addr)
	s := openWith(t, proxy.URL(), redisstore.Options{Durability: "wait:1"})
	send := func() (bool, error) {
		reply, err := s.Update(t.Context(), "p", alice, presence.Update{Session: "x", Section: "a"})
		return reply.Durable, err
	}
	if durable, err := send(); err != nil || !durable {
		t.Fatalf("an update is durable: %v, %v; want true", durable, err)
	}
	proxy.ReplyWithError("ERR no", "EVALSHA")
	if _, err := send(); err == nil {
		t.Fatal("an update that Redis answers with an error succeeds")
	}
	proxy.Pass()
	if durable, err := send(); err != nil || durable {
		t.Errorf("a renewal after a failed update is durable: %v, %v; want false", durable, err)
	}
	until(t, "renewals are durable again", func() bool { durable, err := send(); return err == nil && durable })
}

// After a failover, the server that answers WAIT may lack the change that the old master accepted.
func TestWaitConfirmsOnlyChangesThatTheServerHas(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func() *redistest.Server{
		"one server": func() *redistest.Server { return redistest.Start(t) },
		"a cluster": func() *redistest.Server {
			master := redistest.StartCluster(t, 1)[0]
			replica := redistest.Start(t, "--cluster-enabled", "yes")
			host, port, _ := net.SplitHostPort(master.Addr)
			replica.Do("CLUSTER", "MEET", host, port)
			id := master.Do("CLUSTER", "MYID")
			until(t, "the replica knows its master", func() bool { return strings.Contains(replica.Do("CLUSTER", "NODES"), id) })
			replica.Do("CLUSTER", "REPLICATE", id)
			until(t, "the replica follows", func() bool { return strings.Contains(replica.Do("INFO", "replication"), "master_link_status:up") })
			return master
		},
	} {
		t.Run(name, func(t *testing.T) {
			master := start()
			if name == "one server" {
				redistest.StartReplica(t, master)
			}
			s := openWith(t, master.URL(), redisstore.Options{Durability: "wait:1"})
			reply, err := s.Update(t.Context(), "p", alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
			if err != nil || !reply.Durable {
				t.Fatalf("an update is durable: %v, %v; want true", reply.Durable, err)
			}
			if !s.Confirms(t.Context(), "p", reply.Version) {
				t.Error("a change that the server has is not confirmed")
			}
			if s.Confirms(t.Context(), "p", reply.Version+1) {
				t.Error("a change newer than the server's roster is confirmed")
			}
			master.Do("DEL", redisstore.ProjectKey("p"))
			if s.Confirms(t.Context(), "p", reply.Version) {
				t.Error("a change of a project that the server lacks is confirmed")
			}
		})
	}
}

// The log must say why changes are not durable.
func TestErrorsOfWaitAreLogged(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	redistest.StartReplica(t, master)
	master.Do("ACL", "SETUSER", "waiter", "on", ">"+secret, "~*", "&*", "+@all")
	log := &logBuffer{}
	s := openWith(t, "redis://waiter:"+secret+"@"+master.Addr, redisstore.Options{Durability: "wait:1", Log: log.logger()})
	master.Do("ACL", "SETUSER", "waiter", "-wait")
	for i := range 3 {
		reply, err := s.Update(t.Context(), "p", alice, presence.Update{Session: "x", Section: presence.Section(fmt.Sprint(i))})
		if err != nil || reply.Durable {
			t.Fatalf("an update without WAIT is durable: %v, %v; want false", reply.Durable, err)
		}
	}
	if log.count("WAIT or WAITAOF with an error") != 1 || log.count("NOPERM") == 0 || log.count(secret) != 0 {
		t.Errorf("the log has %d lines about WAIT, %d with NOPERM; want one of each, without the password", log.count("WAIT or WAITAOF"), log.count("NOPERM"))
	}
}

func TestOpenRejectsInvalidDurability(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for durability, want := range map[string]string{
		"wait:0": "is none of auto", "wait:": "is none of auto", "wait:x": "is none of auto", "of": "is none of auto", "wait:-1": "is none of auto",
		"aof": "needs Redis 7.2", // this server has appendonly no, and may be too old
	} {
		err := openError(t, server.URL(), redisstore.Options{Durability: durability})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("durability %q: %v; want an error with %q", durability, err, want)
		}
	}
}
