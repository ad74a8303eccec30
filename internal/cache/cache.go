// Package cache has a small cache of bounded size.
package cache

// Map is a cache that keeps at least the Size keys that were last read or set, and at most twice as many.
// It has two generations: reading or setting a key puts it into the young one, and when that is full the
// old one is dropped. That is an approximate LRU without a list, whose keys also expire by time if the
// owner calls Rotate regularly; the LRU libraries need a goroutine for that.
//
// The zero value with Size set is ready. It is not safe for concurrent use; Get writes, too.
type Map[K comparable, V any] struct {
	Size       int
	young, old map[K]entry[K, V]
}

// entry has the key that was set: the key of a Get may be part of a larger string, which would stay in
// memory with it.
type entry[K comparable, V any] struct {
	key   K
	value V
}

// Get returns the value of a key, and makes it young.
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

// Rotate drops the keys that were neither read nor set since the rotation before.
func (m *Map[K, V]) Rotate() {
	m.young, m.old = map[K]entry[K, V]{}, m.young
}

// Len returns how many entries are held; some keys may be counted twice.
func (m *Map[K, V]) Len() int { return len(m.young) + len(m.old) }
