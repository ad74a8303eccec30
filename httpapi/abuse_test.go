package httpapi_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// Each visitor comes once, from an address of its own to a project and section of its own. WRITER_PRESENCE_NAMES sets
// their number; a million takes eight minutes.
func TestMemoryIsFreedAfterManyVisitorsLeave(t *testing.T) { // invariant 11
	names, allowed := 3000, 0.5 // MB; a leak of 170 bytes for each name exceeds it
	if n, err := strconv.Atoi(os.Getenv("WRITER_PRESENCE_NAMES")); err == nil {
		names, allowed = n, 0.8
	}
	const atOnce = 1000 // share one commit
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
			p.Dev = nil
			p.UserRate, p.AddressRate = identity.Rate{PerSecond: 20, Burst: 100}, identity.Rate{PerSecond: 500, Burst: 2500}
			p.Visitors.Rate = identity.Rate{PerSecond: 1, Burst: 200}
		})
		come := func(i int) {
			address := fmt.Sprintf("%d.%d.%d.%d", 1+i>>24, i>>16&0xff, i>>8&0xff, i&0xff)
			body := strings.NewReader(fmt.Sprintf(`{"section": "section-%d", "session": "session-%d"}`, i, i))
			r := httptest.NewRequest("POST", fmt.Sprintf("%s/project/project-%d/presence/update/", httpapi.DefaultPrefix, i), body)
			r.Header.Set("Content-Type", "application/json")
			r.RemoteAddr = address + ":1"
			answer := httptest.NewRecorder()
			w.Handler.ServeHTTP(answer, r)
			if answer.Code != 200 {
				t.Errorf("the visitor got %d %s", answer.Code, answer.Body)
			}
		}
		come(0)
		before := heap()
		for i := 0; i < names; i += atOnce {
			var coming sync.WaitGroup
			for k := range min(atOnce, names-i) {
				coming.Go(func() { come(i + k + 1) })
			}
			coming.Wait()
		}
		during := heap()
		for range 3 { // rate limiters evict old entries only when a request arrives
			time.Sleep(10 * time.Minute)
			come(0)
		}
		time.Sleep(15 * time.Minute)
		after := heap()
		t.Logf("%d names: %.1f MB before, %.1f MB while they were here, %.1f MB after", names, before, during, after)
		if after > before+allowed {
			t.Errorf("got %.1f MB more after all visitors left", after-before)
		}
	})
}

// heap returns the live heap in MB.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
