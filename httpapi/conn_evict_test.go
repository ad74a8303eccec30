package httpapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestConnectionWithARequestIsNotEvicted(t *testing.T) {
	runLimited(t, 8, func(w *limitedServer) {
		slow := w.dial("203.0.113.9")
		fmt.Fprintf(slow, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{",
			strings.Replace(servertest.LivePath, "live", "update", 1), w.Host, w.As("alice", "1").Token)
		for i := range 40 {
			if status, body, _ := w.get(w.dial(fmt.Sprintf("198.51.100.%d", i)), "/"); status != 200 {
				t.Errorf("request %d got %d %s", i, status, body)
			}
			synctest.Wait() // until that connection is idle, and so is the one to be evicted
		}
		io.WriteString(slow, "}")
		if got, err := http.ReadResponse(bufio.NewReader(slow), nil); err != nil || got.StatusCode != 200 {
			t.Errorf("the request that was under way got %v, %v, want 200", got, err)
		}
	})
}

func TestIdleConnectionIsEvictedOnlyForANewOne(t *testing.T) {
	runLimited(t, 1, func(w *limitedServer) {
		first := w.dial("203.0.113.9")
		for range 3 {
			if status, body, _ := w.get(first, "/"); status != 200 {
				t.Fatalf("a request on the only connection got %d %s", status, body)
			}
			time.Sleep(10 * time.Second)
		}
		if status, body, _ := w.get(w.dial("203.0.113.10"), "/"); status != 200 {
			t.Errorf("a request on a new connection got %d %s", status, body)
		}
		synctest.Wait() // the close runs in a goroutine
		if status, _, _ := w.get(first, "/"); status != 0 {
			t.Errorf("the idle connection got %d, want it closed for the new one", status)
		}
	})
}

func TestRejectedConnectionEvictsNobody(t *testing.T) {
	runLimited(t, 2, func(w *limitedServer) {
		alice := w.As("alice", "1")
		s, _ := w.open("203.0.113.9", servertest.LivePath)
		s.Send("hello", `"session": "s", "token": "`+alice.Token+`"`)
		s.Next("ack")
		idle := w.dial("203.0.113.10")
		w.get(idle, "/")
		for range 3 {
			if status, _, _ := w.get(w.dial("203.0.113.9"), "/"); status != 429 {
				t.Errorf("a second connection of an address got %d, want 429", status)
			}
		}
		if status, body, _ := w.get(idle, "/"); status != 200 {
			t.Errorf("the idle connection of another address got %d %s, want 200", status, body)
		}
	}, func(p *servertest.Config) { p.AddressConnections = 1 })
}

// Both limits are reached: that of all connections and that of the address.
func TestConnectionOfAFullAddressEvictsOnlyOneOfThatAddress(t *testing.T) {
	runLimited(t, 2, func(w *limitedServer) {
		other := w.dial("203.0.113.10") // the oldest of all
		w.get(other, "/")
		first := w.dial("203.0.113.9")
		w.get(first, "/")
		time.Sleep(10 * time.Second) // both are idle
		if status, body, _ := w.get(w.dial("203.0.113.9"), "/"); status != 200 {
			t.Errorf("a second connection of the address got %d %s, want 200", status, body)
		}
		synctest.Wait() // the close runs in a goroutine
		if status, _, _ := w.get(first, "/"); status != 0 {
			t.Errorf("the first connection of the address got %d, want it closed", status)
		}
		if status, body, _ := w.get(other, "/"); status != 200 {
			t.Errorf("the connection of another address got %d %s, want 200", status, body)
		}
	}, func(p *servertest.Config) { p.AddressConnections = 1 })
}

func TestNewConnectionWaitsWhileNoneIsEvictable(t *testing.T) {
	runLimited(t, 1, func(w *limitedServer) {
		alice := w.As("alice", "1")
		s, _ := w.open("203.0.113.9", servertest.LivePath)
		s.Send("hello", `"session": "s", "token": "`+alice.Token+`"`)
		s.Next("ack")
		next := w.dial("203.0.113.10")
		time.AfterFunc(9*time.Second, func() { s.Conn.Close() })
		began := time.Now()
		if status, body, _ := w.get(next, "/"); status != 200 || time.Since(began) < 9*time.Second {
			t.Errorf("after %v the waiting connection got %d %s, want 200 after 9 s", time.Since(began), status, body)
		}
	})
}

func TestShutdownClosesWaitingConnections(t *testing.T) {
	runLimited(t, 1, func(w *limitedServer) {
		io.WriteString(w.dial("203.0.113.9"), "GET / HTTP/1.1\r\n") // is not evicted within a second
		next := w.dial("203.0.113.10")
		synctest.Wait()
		w.Shutdown()
		next.SetDeadline(time.Now().Add(time.Second / 2))
		if _, err := next.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("reading from the waiting connection returned %v, want EOF within half a second", err)
		}
	})
}

// slowlyClosed is a connection whose Close takes 5 s.
type slowlyClosed struct{ net.Conn }

func (c slowlyClosed) Close() error {
	time.Sleep(5 * time.Second)
	return c.Conn.Close()
}

func TestNewConnectionDoesNotWaitForTheCloseOfTheEvictedOne(t *testing.T) {
	for name, limit := range map[string]func(*servertest.Config){
		"limit of all connections": func(p *servertest.Config) { p.AddressConnections = -1 },
		"limit of an address":      func(p *servertest.Config) { p.AddressConnections = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			runLimited(t, 1, func(w *limitedServer) {
				ours, theirs := net.Pipe()
				w.dialled = append(w.dialled, ours)
				w.Listener.Offer(slowlyClosed{fromConn{theirs, &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 4711}}}, time.Minute)
				w.get(ours, "/")
				synctest.Wait() // waits until the connection is idle
				began := time.Now()
				status, body, _ := w.get(w.dial("203.0.113.9"), "/")
				if took := time.Since(began); status != 200 || took > time.Second {
					t.Errorf("after %v the new connection got %d %s, want 200 within a second", took, status, body)
				}
			}, limit)
		})
	}
}
