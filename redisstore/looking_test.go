package redisstore_test

import (
	"fmt"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore/redistest"
)

// Rule 10: reading a project, watching it, and leaves above a limit create nothing in Redis.
func TestLookingAtUnknownProjectsCreatesNothing(t *testing.T) { // rule 10
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	// The node writes its marker key in the background after the start.
	until(t, "the node has written its marker key", func() bool { return server.Do("EXISTS", "writer-presence:data:{0}") == "1" })
	before := keys(server)
	for i := range 100 {
		project := presence.Project(fmt.Sprint("unknown-", i))
		if _, err := s.Snapshot(t.Context(), project); err != nil {
			t.Fatal(err)
		}
		s.Watch(project, func() {})()
		user := presence.User{ID: "1", Name: "Alice"}
		if reply, err := s.Leave(t.Context(), project, user, presence.Leave{Session: "x", Seq: 1, OnlyLiving: true}); err != nil || !reply.Stale {
			t.Fatalf("a leave above a limit came to %+v, %v; want stale", reply, err)
		}
	}
	if after := keys(server); after != before {
		t.Errorf("Redis holds the keys %q; want those from before the reads: %q", after, before)
	}
}

// keys returns the names of all keys of a server, sorted.
func keys(server *redistest.Server) string {
	return server.Do("EVAL", "local keys = redis.call('KEYS', '*') table.sort(keys) return table.concat(keys, ' ')", "0")
}
