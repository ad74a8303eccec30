package redisstore

import (
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// An answer to a call that began before the subscription may lack a change that sent no wake-up to
// this node.
func TestAnswerFromBeforeTheSubscriptionIsNotReturnedFromTheCache(t *testing.T) { // ADR 11
	s := &Store{now: time.Now, probe: newProbe(false)}
	s.probe.channels[0].receive("1")
	c := &projectCache{store: s, watches: map[*watch]struct{}{}}
	before := time.Now().Add(-time.Second)
	c.setReceiving(true)
	newAnswer := func() *answer {
		return &answer{version: 7, nextExpiry: time.Minute, complete: true, records: []presence.Record{{User: presence.User{ID: "1", Name: "Alice"}, Session: "x", Active: true}}}
	}
	if c.apply(before, newAnswer()); c.current() != nil {
		t.Error("the answer to a call from before the subscription is returned from the cache")
	}
	if c.apply(time.Now(), newAnswer()); c.current() == nil {
		t.Error("the answer to a later call is not returned from the cache")
	}
	c.setReceiving(false)
	if c.current() != nil {
		t.Error("without wake-ups, a snapshot is returned from the cache")
	}
}
