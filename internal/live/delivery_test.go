package live_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestLiveAChangeOnOneScreenIsOnTheOthersAtOnce(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, ack, snapshot := w.Join(w.As("Alice", "1"), `{"session": "a", "seq": 1, "section": "abstract"}`)
		if ack.Seq != 1 || ack.Activity != "editing" || ack.You == nil || ack.You.Username != "Alice" || ack.Conflicts == nil {
			t.Errorf("the hello was answered %s", ack.Text)
		}
		if servertest.Names(snapshot.Users) != "Alice" || snapshot.Version != ack.Version {
			t.Errorf("how things are: %s", snapshot.Text)
		}
		began := time.Now()
		_, ack, snapshot = w.Join(w.As("Bob", "2"), `{"session": "b", "seq": 1, "section": "abstract"}`)
		if servertest.Names(ack.Conflicts) != "Alice" || servertest.Names(snapshot.Users) != "Alice Bob" {
			t.Errorf("Bob was answered %s and %s", ack.Text, snapshot.Text)
		}
		delta := alice.Next("delta")
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("Alice was told after %v", took)
		}
		if servertest.Names(delta.Changed) != "Bob" || len(delta.At) != 1 || delta.At[0] != 1 || delta.Version != snapshot.Version {
			t.Errorf("Alice was told %s", delta.Text)
		}
	})
}

func TestLiveTheFirstChangeIsToldAtOnceAndThoseOfTheNext50MillisecondsTogether(t *testing.T) { // case 32
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, _, snapshot := w.Join(w.As("alice", "1"), `"session": "a"`)
		alice.Pending()
		var people []*servertest.Client
		for i := range 10 {
			people = append(people, w.As(fmt.Sprint("writer ", i), presence.UserID(fmt.Sprint(i+10))))
		}
		began := time.Now()
		for _, p := range people {
			go p.Update(`{"section": "s"}`) // which waits for a commit
			synctest.Wait()
		}
		if took := time.Since(began); took >= 50*time.Millisecond {
			t.Fatalf("ten came within %v: not at once", took)
		}
		synctest.Wait()
		if len(alice.Messages) != 1 {
			t.Fatalf("there came %d messages before 50 ms were over", len(alice.Messages))
		}
		first := alice.Next("delta")
		second := alice.Next("delta")
		if took := time.Since(began); took < 50*time.Millisecond || took > 60*time.Millisecond {
			t.Errorf("the changes after the first were told after %v; due is 50 ms", took)
		}
		if len(first.Changed) != 1 || len(second.Changed) != 9 || first.Base != snapshot.Version || second.Base != first.Version || len(first.Left)+len(second.Left) != 0 {
			t.Errorf("after version %d there came %s and %s", snapshot.Version, first.Text, second.Text)
		}
		alice.ExpectNothing(time.Minute)
	})
}

func TestLiveAMoveIsNoLeaveAndJoinAndARenewalIsNothing(t *testing.T) { // cases 30, 34
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(w.As("bob", "2"), `"session": "b"`)
		alice, _, _ := w.Join(w.As("alice", "1"), `"session": "a", "seq": 1, "section": "s"`)
		bob.Pending()
		alice.Send("update", `"seq": 2, "section": "t"`)
		if delta := bob.Next("delta"); servertest.Names(delta.Changed) != "alice" || len(delta.Left) != 0 || delta.Changed[0].Section != "t" || delta.At[0] != 0 {
			t.Errorf("alice moved, and bob was told %s", delta.Text)
		}
		alice.Pending()
		for seq := range 3 {
			alice.Send("update", fmt.Sprintf(`"seq": %d, "section": "t"`, seq+3))
			alice.Next("ack")
			bob.ExpectNothing(30 * time.Second)
		}
		alice.ExpectNothing(0)
	})
}

func TestLiveACountIsToldWhereNotAllAreListed(t *testing.T) { // rule 16
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		for i := range presence.MaxListed - 1 {
			w.As(fmt.Sprintf("writer %04d", i), "").Update(`{}`)
		}
		alice, _, snapshot := w.Join(w.As("alice", "1"), `"session": "a"`)
		if len(snapshot.Users) != presence.MaxListed || snapshot.Count != 0 {
			t.Errorf("of 1000 there are %d listed, and the count is %d; due is none", len(snapshot.Users), snapshot.Count)
		}
		w.As("zoe", "2").Update(`{}`)
		if delta := alice.Next("delta"); len(delta.Changed)+len(delta.Left) != 0 || delta.Count != presence.MaxListed+1 {
			t.Errorf("the 1001st came, and there was told %s; due is the count", delta.Text)
		}
		w.As("bob", "3").Update(`{}`)
		if delta := alice.Next("delta"); servertest.Names(delta.Changed) != "bob" || delta.At[0] != 1 || len(delta.Left) != 1 || delta.Count != presence.MaxListed+2 {
			t.Errorf("one more came, in front, and there was told %s", delta.Text)
		}
	})
}

func TestLiveWhoReadsSlowlyIsToldTheNewestStateAndDelaysNobody(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		slow, _, _ := w.Join(w.As("slow", "1"), `"session": "s"`)
		quick, _, _ := w.Join(w.As("quick", "2"), `"session": "q"`)
		p := w.As("zoe", "3")
		p.Update(`{"session": "z"}`)
		slow.Pending()
		quick.Pending()
		slow.StopReading()
		goroutines := runtime.NumGoroutine()
		var newest uint64
		for i := range 50 {
			newest = p.Update(fmt.Sprintf(`{"session": "z", "section": "s%d"}`, i)).Version
			began := time.Now()
			if delta := quick.Next("delta"); delta.Version != newest || time.Since(began) > 10*time.Millisecond {
				t.Errorf("after %v there came %s; due is version %d at once", time.Since(began), delta.Text, newest)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if grown := runtime.NumGoroutine() - goroutines; grown > 5 { // some are of the moment
			t.Errorf("for somebody who does not read there are %d goroutines more", grown)
		}
		slow.ResumeReading()
		came := slow.Pending()
		if len(came) != 2 || came[0].Type != "delta" || came[1].Type != "snapshot" || came[1].Version != newest || came[1].Users[2].Section != "s49" {
			t.Errorf("after fifty changes there came %v; due is the one that was on its way, and the newest state", came)
		}
		slow.Send("update", "")
		if ack := slow.Next("ack"); ack.Version != newest {
			t.Errorf("afterwards an update was answered %s", ack.Text)
		}
		p.Update(`{"session": "z", "section": "t"}`)
		if delta := slow.Next("delta"); delta.Base != newest {
			t.Errorf("afterwards there came %s; due is a delta from %d", delta.Text, newest)
		}
	})
}

func TestLiveWhoNeverReadsIsCutOff(t *testing.T) {
	for name, what := range map[string]func(*servertest.Socket){
		"says nothing":         func(*servertest.Socket) {},
		"goes on to say":       func(s *servertest.Socket) { s.Send("update", `"section": "s"`) },
		"answers without ears": func(s *servertest.Socket) { s.SendFrame(0x8a, nil) },
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				deaf, _, _ := w.Join(w.As("deaf", "1"), `"session": "s", "section": "s"`)
				watcher := w.As("watcher", "9")
				p := w.As("zoe", "3")
				deaf.StopReading()
				var cut atomic.Bool
				go func() {
					for !cut.Load() {
						what(deaf)
						time.Sleep(5 * time.Second)
					}
				}()
				before := runtime.NumGoroutine()
				for i := range 55 {
					p.Update(fmt.Sprintf(`{"session": "z", "section": "s%d"}`, i))
					time.Sleep(time.Second)
					if grown := runtime.NumGoroutine() - before; grown > 5 {
						t.Fatalf("after %d s there are %d goroutines more", i, grown)
					}
				}
				cut.Store(true)
				time.Sleep(16 * time.Second)
				if got := servertest.Names(*watcher.List().Users); got != "zoe" {
					t.Errorf("after a minute listed are %q; due is that who does not read was cut off, and lapsed", got)
				}
				deaf.ResumeReading()
				deaf.ExpectClose(0)
			})
		})
	}
}
