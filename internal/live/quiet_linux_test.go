package live_test

import (
	"fmt"
	"runtime"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestQuietConnectionHasNoGoroutine(t *testing.T) {
	const many = 30
	w, host := overTCP(t)
	all := []*servertest.RawConn{w.As("writer", "1").DialRaw(t, host)}
	before := runtime.NumGoroutine()
	for i := range many {
		all = append(all, w.As("writer", presence.UserID(fmt.Sprint(2+i))).DialRaw(t, host))
	}
	const each = 1 // of the client
	if n := runtime.NumGoroutine() - before; n > many*each+many/3 {
		t.Errorf("%d quiet connections have %d goroutines on both sides, want %d for each client and a few more", many, n, each)
	}
	for i, c := range all { // and they still get answers
		c.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, fmt.Append(nil, i)))
		c.ExpectPong(fmt.Append(nil, i))
	}
}
