package redisstore_test

import (
	"fmt"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore/redistest"
)

// Rule 10: reading a project, watching it, and leaves above a limit create nothing in Redis.
func TestLookingAtUnknownProjectsCreatesNothing(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	keys := server.Do("DBSIZE")
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
	if after := server.Do("DBSIZE"); after != keys {
		t.Errorf("%s keys are in Redis, before %s", after, keys)
	}
}
