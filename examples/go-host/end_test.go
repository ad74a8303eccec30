package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lxzan/gws"
)

func TestMain(m *testing.M) {
	if os.Getenv("GO_HOST_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// startProcess starts the example as a process of its own, and returns its address.
func startProcess(t *testing.T, data string) (*exec.Cmd, string) {
	t.Helper()
	c := exec.Command(os.Args[0], "-addr", "127.0.0.1:0", "-data", data)
	c.Env = append(os.Environ(), "GO_HOST_TEST_MAIN=1")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // if it has not ended
		c.Process.Kill()
		c.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "http://")
	if err != nil || !found {
		t.Fatalf("the example printed %q: %v", line, err)
	}
	return c, strings.TrimSuffix(address, "/")
}

// livePage is a page with a live connection.
type livePage struct {
	gws.BuiltinEventHandler
	messages chan map[string]any
	ended    chan error
}

func (p *livePage) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	var content map[string]any
	json.Unmarshal(m.Bytes(), &content)
	p.messages <- content
}

func (p *livePage) OnClose(_ *gws.Conn, err error) { p.ended <- err }

// next returns the next message of a type.
func (p *livePage) next(t *testing.T, kind string) map[string]any {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case m := <-p.messages:
			if m["type"] == kind {
				return m
			}
		case <-late:
			t.Fatalf("no %s came in 10 s", kind)
		}
	}
}

// lastSeen returns when each person in the list was last seen.
func lastSeen(t *testing.T, address string) map[string]string {
	t.Helper()
	var list struct {
		Users []struct {
			Username string
			LastSeen string `json:"last_seen"`
		}
	}
	request(t, "GET", "http://"+address+"/writer/api/project/thesis/presence/list/", "", &list)
	seen := map[string]string{}
	for _, u := range list.Users {
		seen[u.Username] = u.LastSeen
	}
	return seen
}

func request(t *testing.T, method, url, body string, answer any) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.AddCookie(&http.Cookie{Name: "session", Value: "session-of-alice"})
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil || response.StatusCode != 200 {
		t.Fatalf("%s %s: %d, %v", method, url, response.StatusCode, err)
	}
}

// SIGTERM and SIGINT tell live pages when to come back, end the process with status 0, and lose nothing: not even renewals,
// which the store writes some seconds later.
func TestASignalEndsTheExampleInOrder(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			data := t.TempDir()
			process, address := startProcess(t, data)
			bob := &livePage{messages: make(chan map[string]any, 100), ended: make(chan error, 1)}
			conn, _, err := gws.NewClient(bob, &gws.ClientOption{
				Addr: "ws://" + address + "/writer/api/project/thesis/presence/live/",
				RequestHeader: http.Header{
					"Origin": {"http://" + address}, "Cookie": {"session=session-of-bob"}, "Sec-WebSocket-Protocol": {"writer-presence.v1"},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			go conn.ReadLoop()
			conn.WriteString(`{"type": "hello", "session": "tab", "seq": 1, "section": "s"}`)
			bob.next(t, "snapshot")

			update := func() { // the first is a change, the others are renewals
				var ok struct{ Success bool }
				request(t, "POST", "http://"+address+"/writer/api/project/thesis/presence/update/", `{"session": "a", "section": "s"}`, &ok)
			}
			update()
			first := lastSeen(t, address)
			for deadline := time.Now().Add(5 * time.Second); lastSeen(t, address)["Alice"] == first["Alice"]; update() {
				if time.Now().After(deadline) {
					t.Fatal("renewals do not move last_seen in 5 s")
				}
				time.Sleep(100 * time.Millisecond) // last_seen has whole seconds
			}
			before := lastSeen(t, address)
			if len(before) != 2 {
				t.Fatalf("before the end are listed %v; want Alice and Bob", before)
			}

			process.Process.Signal(signal)
			if m := bob.next(t, "error"); m["code"] != "draining" || m["retry_after"] == nil {
				t.Errorf("a live page was told %v; want draining, with retry_after", m)
			}
			if closed, ok := (<-bob.ended).(*gws.CloseError); !ok || closed.Code != 1012 {
				t.Errorf("a live page was closed with %v; want 1012", closed)
			}
			if err := process.Wait(); err != nil {
				t.Errorf("the process ended with %v; want status 0", err)
			}

			_, address = startProcess(t, data)
			after := lastSeen(t, address)
			if len(after) != 2 || after["Alice"] != before["Alice"] || after["Bob"] != before["Bob"] {
				t.Errorf("after the restart are listed %v; want %v", after, before)
			}
		})
	}
}
