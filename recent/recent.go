// Package recent remembers, in bounded memory, what was asked for lately.
package recent

// Map remembers at least the last Most keys that were asked for or set, and at most
// twice as many. The zero value, with Most set, is ready. It has no lock of its own,
// and asking writes, too.
type Map[K comparable, V any] struct {
	Most int
	// young holds this turn's keys, and old those of the turn before: so what is long
	// quiet is forgotten without looking at each.
	young, old map[K]V
}

// Get gives the value of a key, and remembers it for another turn.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	if value, ok = m.young[key]; ok {
		return value, true
	}
	if value, ok = m.old[key]; ok {
		m.Set(key, value)
	}
	return value, ok
}

// Set remembers a value.
func (m *Map[K, V]) Set(key K, value V) {
	if m.young == nil || len(m.young) >= m.Most {
		m.Turn()
	}
	m.young[key] = value
}

// Turn begins a new turn, and forgets what was last set before the one that ends.
func (m *Map[K, V]) Turn() {
	m.young, m.old = map[K]V{}, m.young
}

// Len is how many keys are held, some of them twice.
func (m *Map[K, V]) Len() int { return len(m.young) + len(m.old) }
