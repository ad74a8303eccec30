package identity

import (
	"strings"
	"sync"

	"github.com/writer-presence/writer-presence/internal/cache"
)

// maxRemembered is the size of one generation of the cache; an entry takes a few hundred bytes.
const maxRemembered = 20_000

// remembered caches the results of verifying credentials, so that clients that poll every few
// seconds cost no signature check. The zero value is empty and ready. It is safe for concurrent use.
type remembered[V any] struct {
	mu sync.Mutex
	of cache.Map[string, V]
}

// get returns the cached result for a credential, or calls find and caches its result. Failures are
// not cached: invalid credentials are unlimited, and would evict the valid ones.
func (r *remembered[V]) get(credential string, find func(credential string) (V, bool)) (V, bool) {
	v, ok := r.peek(credential)
	if !ok {
		if v, ok = find(credential); ok {
			r.put(credential, v)
		}
	}
	return v, ok
}

func (r *remembered[V]) peek(credential string) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of.Get(credential)
}

func (r *remembered[V]) put(credential string, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of.Size = maxRemembered
	r.of.Set(strings.Clone(credential), v) // the credential is part of a larger string, which the cache must not keep
}
