package identity

import (
	"strings"
	"sync"

	"github.com/writer-presence/writer-presence/internal/cache"
)

// mostRemembered bounds what is remembered of credentials, a few hundred bytes each.
const mostRemembered = 20_000

// remembered is what credentials came to, so that those who ask every few seconds cost
// no arithmetic. It may be used at once; the zero value is ready.
type remembered[V any] struct {
	mu sync.Mutex
	of cache.Map[string, V]
}

// get gives what a credential came to, or else finds out. Of one that comes to nothing
// nothing is remembered: there is no end of them.
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
	r.of.Size = mostRemembered
	r.of.Set(strings.Clone(credential), v) // it is part of a larger text
}
