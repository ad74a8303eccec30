package redisstore

import (
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// What was asked before wake-ups came may be older than a change that none told of.
func TestAnAnswerFromBeforeWakeUpsCameIsNotToldAgain(t *testing.T) { // ADR 11
	s := &Store{now: time.Now, probe: newProbe(false)}
	s.probe.channels[0].hear("1")
	r := &room{store: s, watches: map[*watch]struct{}{}}
	before := time.Now().Add(-time.Second)
	r.hears(true)
	answered := func() *answer {
		return &answer{version: 7, lapse: time.Minute, whole: true, living: []presence.Record{{User: presence.User{ID: "1", Name: "Alice"}, Session: "x", Active: true}}}
	}
	if r.take(before, answered()); r.current() != nil {
		t.Error("an answer that was asked for before wake-ups came is told again without asking")
	}
	if r.take(time.Now(), answered()); r.current() == nil {
		t.Error("an answer that was asked for since is not told again")
	}
	r.hears(false)
	if r.current() != nil {
		t.Error("where no wake-ups come, what is known is told again without asking")
	}
}
