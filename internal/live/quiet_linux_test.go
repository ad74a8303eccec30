package live_test

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// hubRuns matches the goroutine of a hub that has started its workers.
var hubRuns = regexp.MustCompile(`\[select.*\]:\n\S+live\.\(\*Hub\)\.Run\(`)

// waitForHub waits until the hub runs. It starts workers, and connections opened before may have a goroutine each.
func waitForHub(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var stacks bytes.Buffer
		pprof.Lookup("goroutine").WriteTo(&stacks, 2)
		if hubRuns.Match(stacks.Bytes()) {
			return
		}
	}
	t.Fatal("the hub does not run")
}

func TestQuietConnectionHasNoGoroutine(t *testing.T) {
	const many = 30
	w, host := overTCP(t)
	waitForHub(t)
	all := []*servertest.RawConn{w.As("writer", "1").DialRaw(t, host)}
	before := runtime.NumGoroutine()
	for i := range many {
		all = append(all, w.As("writer", presence.UserID(fmt.Sprint(2+i))).DialRaw(t, host))
	}
	const each = 1                                                // of the client
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) { // those of the handshakes end after the answers
		n := runtime.NumGoroutine() - before
		if n <= many*each+many/3 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d quiet connections have %d goroutines on both sides, want %d for each client and a few more", many, n, each)
		}
	}
	for i, c := range all { // and they still get answers
		c.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpPing, fmt.Append(nil, i)))
		c.ExpectPong(fmt.Append(nil, i))
	}
}
