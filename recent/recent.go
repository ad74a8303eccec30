// Package recent remembers, in bounded memory, what was asked for lately.
package recent

// Map remembers at least the last Most keys that were asked for or set, and at most
// twice as many. The zero value, with Most set, is ready. It has no lock of its own,
// and asking writes, too.
type Map[K comparable, V any] struct {
	Most int
	// young holds this turn's keys, and old those of the turn before: so what is long
	// quiet is forgotten without looking at each.
	young, old map[K]entry[K, V]
}

// entry has the key as it was set: the one that asks may be part of a larger text.
type entry[K comparable, V any] struct {
	key   K
	value V
}

// Get gives the value of a key, and remembers it for another turn.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	if e, ok := m.young[key]; ok {
		return e.value, true
	}
	e, ok := m.old[key]
	if ok {
		m.Set(e.key, e.value)
	}
	return e.value, ok
}

// Set remembers a value.
func (m *Map[K, V]) Set(key K, value V) {
	if m.young == nil || len(m.young) >= m.Most {
		m.Turn()
	}
	m.young[key] = entry[K, V]{key, value}
}

// Turn begins a new turn, and forgets what was last set before the one that ends.
func (m *Map[K, V]) Turn() {
	m.young, m.old = map[K]entry[K, V]{}, m.young
}

// Len is how many keys are held, some of them twice.
func (m *Map[K, V]) Len() int { return len(m.young) + len(m.old) }
