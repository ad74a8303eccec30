package redisstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/redisstore/redistest"
)

func openDurable(t *testing.T, url, durability string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), url, redisstore.Options{Durability: durability})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return s
}

// TestDurableSaysWhatRedisKeeps changes something, renews and leaves on servers that keep more or less.
func TestDurableSaysWhatRedisKeeps(t *testing.T) {
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
		{"a file that is synced every second", everysec.URL(), "auto", false, false},
		{"a file that is synced always", always.URL(), "auto", true, true},
		{"a user who may not ask", "redis://few:" + secret + "@" + always.Addr, "auto", false, false},
		{"none, whatever there is", always.URL(), "none", false, false},
		{"a cluster, which fails over", cluster.URL(), "auto", false, false},
		{"a replica that has it", master.URL(), "wait:1", true, true},
		{"a replica too few", master.URL(), "wait:2", false, true},
		{"a cluster without replicas", cluster.URL(), "wait:1", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openDurable(t, c.url, c.durability)
			where := presence.Project(strings.ReplaceAll(c.name, " ", "-"))
			for _, step := range []struct {
				seq     uint64
				section presence.Section
				due     bool
			}{{1, "a", c.change}, {2, "a", c.renewal}, {3, "b", c.change}} {
				began := time.Now()
				reply, err := s.Update(t.Context(), where, alice, presence.Update{Session: "x", Seq: step.seq, Section: step.section})
				if err != nil || reply.Durable != step.due || time.Since(began) > longestCall {
					t.Errorf("update %d after %v: durable %v, %v; due: %v", step.seq, time.Since(began), reply.Durable, err, step.due)
				}
			}
			reply, err := s.Leave(t.Context(), where, alice, presence.Leave{Session: "x", Seq: 4})
			if err != nil || reply.Durable != c.change {
				t.Errorf("a leave is durable: %v, %v; due: %v", reply.Durable, err, c.change)
			}
		})
	}
}

func TestADurabilityThatCannotBeEndsTheStart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for durability, due := range map[string]string{
		"wait:0": "is none of auto", "wait:": "is none of auto", "wait:x": "is none of auto", "of": "is none of auto", "wait:-1": "is none of auto",
		"aof": "needs Redis 7.2", // this one has no file, and may be too old
	} {
		s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Options{Durability: durability})
		if err == nil {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			s.Run(ctx)
		}
		if err == nil || !strings.Contains(err.Error(), due) {
			t.Errorf("%q: %v; due: an error with %q", durability, err, due)
		}
	}
}
