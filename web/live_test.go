package web_test

import (
	"testing"
	"time"
)

func TestAChangeOnOneScreenIsOnTheOthersAtOnce(t *testing.T) {
	inLive(t, func(t *testing.T, w *liveWorld) {
		alice, ack, snapshot := w.enter(w.as("Alice", "1"), `{"session": "a", "seq": 1, "section": "abstract"}`)
		if ack.Seq != 1 || ack.Activity != "editing" || ack.You == nil || ack.You.Username != "Alice" || ack.Conflicts == nil {
			t.Errorf("the hello was answered %s", ack.text)
		}
		if names(snapshot.Users) != "Alice" || snapshot.Version != ack.Version {
			t.Errorf("how things are: %s", snapshot.text)
		}
		began := time.Now()
		_, ack, snapshot = w.enter(w.as("Bob", "2"), `{"session": "b", "seq": 1, "section": "abstract"}`)
		if names(ack.Conflicts) != "Alice" || names(snapshot.Users) != "Alice Bob" {
			t.Errorf("Bob was answered %s and %s", ack.text, snapshot.text)
		}
		delta := alice.next("delta")
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("Alice was told after %v", took)
		}
		if names(delta.Changed) != "Bob" || len(delta.At) != 1 || delta.At[0] != 1 || delta.Version != snapshot.Version {
			t.Errorf("Alice was told %s", delta.text)
		}
	})
}
