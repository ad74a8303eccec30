package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

const listPath, updatePath = "/writer/api" + servertest.ProjectPath + "list/", "/writer/api" + servertest.ProjectPath + "update/"

func TestSlowReaderGetsTheWholeResponse(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, body string
		perSecond          int
	}{
		"list at 200 kbit/s":        {"GET", listPath, "", 25_000},
		"list at 24 kbit/s":         {"GET", listPath, "", 3000},
		"update at 200 kbit/s":      {"POST", updatePath, `{"session": "x", "known_version": 0}`, 25_000},
		"client file at 2400 bit/s": {"GET", "/writer/api/client/presence-live.js", "", 300},
	} {
		t.Run(name, func(t *testing.T) {
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				w.AddUsers(1000)
				conn := w.SendRequest(c.method, c.path, w.As("reader", "1").Token, c.body)
				r := bufio.NewReader(servertest.SlowReader{Conn: conn, PerSecond: c.perSecond})
				began := time.Now()
				answer, err := http.ReadResponse(r, nil)
				if err != nil || answer.StatusCode != 200 {
					t.Fatalf("got %v, %v", answer, err)
				}
				body, err := io.ReadAll(answer.Body)
				if err != nil || int64(len(body)) != answer.ContentLength {
					t.Fatalf("after %v came %d bytes of %d, %v", time.Since(began), len(body), answer.ContentLength, err)
				}
				if took := time.Since(began); took < 9*time.Second {
					t.Errorf("%d bytes were read in %v; the test shows nothing", len(body), took)
				}
				time.Sleep(20 * time.Second)
				fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", w.Host)
				if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != 200 {
					t.Errorf("the next request on the connection: %v, %v", answer, err)
				}
			})
		})
	}
}

func TestReaderWithoutProgressIsDisconnected(t *testing.T) {
	for name, c := range map[string]struct {
		read      int // how many bytes the client reads before it stops
		perSecond int
		earliest  time.Duration
		latest    time.Duration
	}{
		"reads nothing":             {0, 25_000, 9 * time.Second, 11 * time.Second},
		"stops in the middle":       {100_000, 25_000, 14 * time.Second, 25 * time.Second},
		"stops after 25 s":          {100_000, 4000, 35 * time.Second, 46 * time.Second},
		"takes one byte per second": {1 << 20, 1, 119 * time.Second, 122 * time.Second}, // it notices within a second
	} {
		t.Run(name, func(t *testing.T) {
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				w.AddUsers(1000)
				began := time.Now()
				conn := w.SendRequest("GET", listPath, w.As("reader", "1").Token, "")
				read, _ := io.CopyN(io.Discard, servertest.SlowReader{Conn: conn, PerSecond: c.perSecond}, int64(c.read))
				if c.read < 1<<20 && read < int64(c.read) {
					t.Fatalf("cut after %d bytes", read)
				}
				// The client reads nothing; its write returns when the server has closed the connection.
				for ; time.Since(began) < c.latest; time.Sleep(time.Second / 4) {
					conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
					if _, err := conn.Write([]byte("G")); errors.Is(err, io.ErrClosedPipe) {
						break
					}
				}
				if took := time.Since(began); took < c.earliest || took >= c.latest {
					t.Errorf("cut after %v, want between %v and %v", took, c.earliest, c.latest)
				}
			})
		})
	}
}

func TestShutdownDoesNotWaitForASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end, served := startServing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write(bytes.Repeat([]byte("x"), 250_000))
		}))
		c, _ := l.Dial()
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		var reading sync.WaitGroup
		reading.Go(func() { io.Copy(io.Discard, servertest.SlowReader{Conn: c, PerSecond: 1000}) })
		defer reading.Wait()
		time.Sleep(time.Second)
		began := time.Now()
		end()
		if err := <-served; err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("after %v Serve returned %v, want nil within 10 s", time.Since(began), err)
		}
	})
}

func TestLiveSlowReaderGetsTheWholeSnapshot(t *testing.T) {
	for _, perSecond := range []int{25_000, 4000} { // the latter takes longer than the interval of pings
		t.Run(fmt.Sprint(perSecond), func(t *testing.T) {
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				w.AddUsers(1000)
				_, r := w.ConnectSlowly(perSecond)
				began := time.Now()
				for {
					first, text, err := servertest.ReadFrame(r)
					if err != nil {
						t.Fatalf("after %v %v", time.Since(began), err)
					}
					var m servertest.Message
					if first != 0x81 || json.Unmarshal(text, &m) != nil || m.Type != "snapshot" {
						continue
					}
					if took := time.Since(began); len(m.Users) != 1000 || took < 7*time.Second {
						t.Errorf("%d bytes with %d users came after %v", len(text), len(m.Users), took)
					}
					return
				}
			})
		})
	}
}

func TestLiveReaderWithoutProgressIsDisconnected(t *testing.T) {
	for _, c := range []struct {
		perSecond        int
		earliest, latest time.Duration
	}{{0, 9 * time.Second, 21 * time.Second}, {1, 118 * time.Second, 122 * time.Second}} {
		t.Run(fmt.Sprint(c.perSecond), func(t *testing.T) {
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				w.AddUsers(1000)
				conn, r := w.ConnectSlowly(25_000)
				for { // the ack and the beginning of the snapshot
					head, err := r.Peek(2)
					if err != nil {
						t.Fatal(err)
					}
					if head[1] == 127 {
						break
					}
					servertest.ReadFrame(r)
				}
				began := time.Now()
				if c.perSecond > 0 {
					io.Copy(io.Discard, servertest.SlowReader{Conn: conn, PerSecond: c.perSecond})
				}
				for ; time.Since(began) < c.latest; time.Sleep(time.Second / 4) {
					conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
					if _, err := conn.Write([]byte{0x8a}); errors.Is(err, io.ErrClosedPipe) {
						break
					}
				}
				if took := time.Since(began); took < c.earliest || took >= c.latest {
					t.Errorf("cut after %v, want between %v and %v", took, c.earliest, c.latest)
				}
			})
		})
	}
}
