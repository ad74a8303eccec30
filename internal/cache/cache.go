// Package cache has a small cache of bounded size.
package cache

// Map is an approximate LRU cache: it keeps at least the Size keys that were last read or set, and at most
// twice as many. It has two generations. Reading or setting a key puts it into the young one; when that is
// full, it becomes the old one and the keys of the previous old one are evicted. An owner that calls Rotate
// regularly gets expiry by time too, without the goroutine that LRU libraries need for it.
//
// The zero value with Size set is ready. It is not safe for concurrent use, not even Get, which moves keys.
type Map[K comparable, V any] struct {
	Size       int
	young, old map[K]entry[K, V]
}

// entry keeps the key of Set. The key of a Get may be a substring, which would keep the whole string in memory.
type entry[K comparable, V any] struct {
	key   K
	value V
}

// Get returns the value of a key, and moves the key into the young generation.
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

// Set stores a value.
func (m *Map[K, V]) Set(key K, value V) {
	if m.young == nil || len(m.young) >= m.Size {
		m.Rotate()
	}
	m.young[key] = entry[K, V]{key, value}
}

// Rotate evicts the keys that were neither read nor set since the previous rotation.
func (m *Map[K, V]) Rotate() {
	m.young, m.old = map[K]entry[K, V]{}, m.young
}

// Len returns how many entries are held; some keys may be counted twice.
func (m *Map[K, V]) Len() int { return len(m.young) + len(m.old) }
