package cache

import (
	"strings"
	"testing"
	"unsafe"
)

func TestKeysInUseAreKeptAndTheSizeIsBounded(t *testing.T) {
	m := Map[int, int]{Size: 100}
	m.Set(-1, 7)
	for i := range 100_000 {
		m.Set(i, i)
		if i%50 == 0 {
			if v, ok := m.Get(-1); !ok || v != 7 {
				t.Fatalf("after %d others, a key that is read every 50 has %d, %v; want 7", i, v, ok)
			}
		}
		if m.Len() > 200 {
			t.Fatalf("%d entries are held, want 200 at most", m.Len())
		}
	}
	if _, ok := m.Get(99_990); !ok {
		t.Error("one of the last ten keys is gone")
	}
	if _, ok := m.Get(5); ok {
		t.Error("the fifth of 100,000 keys is still there")
	}
}

func TestTheKeyThatWasSetIsKeptNotThatOfAGet(t *testing.T) {
	m := Map[string, bool]{Size: 10}
	set := strings.Clone("key")
	m.Set(set, true)
	m.Rotate()
	m.Get(("a large text with a key")[20:])
	for key := range m.young {
		if unsafe.StringData(key) != unsafe.StringData(set) {
			t.Error("the map references the string of a Get")
		}
	}
	if len(m.young) != 1 {
		t.Errorf("%d young keys, want 1", len(m.young))
	}
}

func TestAKeyThatIsNotUsedIsDroppedAfterTwoRotations(t *testing.T) {
	m := Map[string, bool]{Size: 10}
	m.Set("a", true)
	m.Rotate()
	if _, ok := m.Get("a"); !ok {
		t.Error("dropped after one rotation")
	}
	m.Rotate()
	m.Rotate()
	if _, ok := m.Get("a"); ok {
		t.Error("still there after two rotations without use")
	}
}
