package recent

import (
	"strings"
	"testing"
	"unsafe"
)

func TestWhatIsAskedForIsRememberedAndTheRestBounded(t *testing.T) {
	m := Map[int, int]{Most: 100}
	m.Set(-1, 7)
	for i := range 100_000 {
		m.Set(i, i)
		if i%50 == 0 {
			if v, ok := m.Get(-1); !ok || v != 7 {
				t.Fatalf("after %d others, what is asked for every 50 is %d, %v; due: 7", i, v, ok)
			}
		}
		if m.Len() > 200 {
			t.Fatalf("%d are held; due: at most 200", m.Len())
		}
	}
	if _, ok := m.Get(99_990); !ok {
		t.Error("one of the last ten is forgotten")
	}
	if _, ok := m.Get(5); ok {
		t.Error("the fifth of 100,000 is still remembered")
	}
}

func TestTheKeyThatWasSetIsKeptAndNotTheOneThatAsks(t *testing.T) {
	m := Map[string, bool]{Most: 10}
	set := strings.Clone("key")
	m.Set(set, true)
	m.Turn()
	m.Get(strings.Clone("key") + strings.Repeat("x", 0))
	m.Get(("a large text with a key")[20:])
	for key := range m.young {
		if unsafe.StringData(key) != unsafe.StringData(set) {
			t.Error("the map holds on to the text of one that asked")
		}
	}
	if len(m.young) != 1 {
		t.Errorf("%d keys in this turn; due: 1", len(m.young))
	}
}

func TestTwoTurnsForgetWhatNobodyAskedFor(t *testing.T) {
	m := Map[string, bool]{Most: 10}
	m.Set("a", true)
	m.Turn()
	if _, ok := m.Get("a"); !ok {
		t.Error("forgotten after one turn")
	}
	m.Turn()
	m.Turn()
	if _, ok := m.Get("a"); ok {
		t.Error("remembered after two turns in which nobody asked")
	}
}
