package redistest

import (
	"regexp"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/redisstore"
)

// SlowStart is how long a test tries to use a Redis that does not answer in time, because the machine is busy.
const SlowStart = 30 * time.Second

var late = regexp.MustCompile(`deadline exceeded|timeout|did not answer in`)

// IsLate reports whether an error says that Redis did not answer in time.
func IsLate(err error) bool { return err != nil && late.MatchString(err.Error()) }

// OpenStore opens a store, and tries again for SlowStart while Redis does not answer in time.
func OpenStore(t testing.TB, address string, o redisstore.Options) *redisstore.Store {
	t.Helper()
	began := time.Now()
	s, err := redisstore.Open(t.Context(), address, o)
	for IsLate(err) && time.Since(began) < SlowStart {
		s, err = redisstore.Open(t.Context(), address, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
