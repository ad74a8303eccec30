package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/entering"
	"github.com/writer-presence/writer-presence/internal/redistest"
)

// Three seconds of lease, in place of two minutes, make a pause of four one that is longer
// than a lease.
const shortLease = 3 * time.Second

// nodes are processes that share a Redis and a key, each behind a proxy of its own.
type nodes struct {
	*testing.T
	servers []*server
	proxies []*redistest.Proxy
}

func startNodes(t *testing.T, n int) *nodes { return startNodesWith(t, n, shortLease, time.Second) }

func startNodesWith(t *testing.T, n int, lease, heartbeat time.Duration) *nodes {
	t.Helper()
	redis := redistest.Start(t)
	key := filepath.Join(t.TempDir(), "secret")
	all := &nodes{T: t}
	for range n {
		proxy := redistest.StartProxy(t, redis.Addr)
		all.proxies = append(all.proxies, proxy)
		all.servers = append(all.servers, start(t, "--dev", "--redis-url", proxy.URL(), "--secret-file", key, "--data", t.TempDir(),
			"--lease", lease.String(), "--heartbeat", heartbeat.String()))
	}
	return all
}

type nodeAnswer struct {
	Success  bool
	Code     string
	Version  uint64
	Activity string
	// Conflicts are the names of others.
	Conflicts []struct{ Username string }
}

// say posts an update or a leave, within the time that a call may take.
func (n *nodes) say(node int, kind, token, body string) (answer nodeAnswer, status int) {
	began := time.Now()
	status = n.servers[node].post("project/p/presence/"+kind+"/", token, body, &answer)
	if took := time.Since(began); took > 5*time.Second {
		n.Errorf("node %d answered with %d after %v", node, status, took)
	}
	return answer, status
}

// list gives the names and sections at a node, and the status.
func (n *nodes) list(node int, token string) (seen []string, version uint64, status int) {
	n.Helper()
	ctx, cancel := context.WithTimeout(n.Context(), 5*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, n.servers[node].url+"/writer/api/project/p/presence/list/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		n.Fatalf("node %d: %v", node, err)
	}
	defer response.Body.Close()
	var list struct {
		Version uint64
		Users   []struct {
			Username string
			Sections []string
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		n.Fatalf("node %d: %v", node, err)
	}
	for _, u := range list.Users {
		seen = append(seen, u.Username+" "+strings.Join(u.Sections, ","))
	}
	return seen, list.Version, response.StatusCode
}

// agree waits until the nodes list the same, at one version.
func (n *nodes) agree(token string, within time.Duration, which []int, due ...string) (version uint64) {
	n.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var said []string
		same := true
		for i, node := range which {
			seen, v, status := n.list(node, token)
			said = append(said, fmt.Sprintf("node %d: %q at %d, status %d", node, seen, v, status))
			same = same && status == 200 && slices.Equal(seen, due) && (i == 0 || v == version)
			version = v
		}
		if same {
			return version
		}
		if time.Since(began) > within {
			n.Fatalf("after %v:\n  %s\ndue: %q", within, strings.Join(said, "\n  "), due)
		}
	}
}

// beat keeps somebody alive through a node until the test ends.
func (n *nodes) beat(node int, name, section string) {
	token := n.servers[node].token(name)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for seq := 1; ctx.Err() == nil; seq++ {
			n.say(node, "update", token, fmt.Sprintf(`{"session": "tab", "seq": %d, "section": %q}`, seq, section))
			select {
			case <-time.After(300 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	n.Cleanup(func() { cancel(); <-ended })
}

func TestInvariant1PeopleOfAKilledNodeGoWithTheirLease(t *testing.T) { // case 35, invariant 1
	n := startNodes(t, 2)
	reader := n.servers[0].token("Reader")
	n.beat(0, "Alice", "a")
	n.say(1, "update", n.servers[1].token("Bob"), `{"session": "tab", "seq": 1, "section": "b"}`)
	last := time.Now()
	n.agree(reader, 5*time.Second, []int{0, 1}, "Alice a", "Bob b")
	n.servers[1].cmd.Process.Kill()
	for time.Since(last) < shortLease-500*time.Millisecond {
		if seen, _, status := n.list(0, reader); status != 200 || len(seen) != 2 {
			t.Fatalf("%v after Bob's last sign of life the list is %q, status %d", time.Since(last), seen, status)
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.agree(reader, time.Until(last.Add(shortLease+time.Second)), []int{0}, "Alice a")
}

// TestRule8ANodeThatPausesAndGoesOnOverwritesNothingNewer stops a node with messages in it,
// for longer than a lease: so the same happens to it as in three minutes to one with a lease
// of two.
func TestRule8ANodeThatPausesAndGoesOnOverwritesNothingNewer(t *testing.T) { // rule 8, case 35
	n := startNodes(t, 2)
	reader, alice, bob := n.servers[0].token("Reader"), n.servers[0].token("Alice"), n.servers[0].token("Bob")
	n.beat(0, "Dora", "d")
	n.say(1, "update", alice, `{"session": "tab", "seq": 1, "section": "old"}`)
	n.say(1, "update", bob, `{"session": "tab", "seq": 1, "section": "old"}`)
	n.agree(reader, 5*time.Second, []int{0, 1}, "Alice old", "Bob old", "Dora d")
	n.servers[1].cmd.Process.Signal(syscall.SIGSTOP)
	paused := time.Now()
	late := make(chan int, 2)
	for _, token := range []string{alice, bob} { // who gives up, and says the next elsewhere
		go func() {
			var answer nodeAnswer
			late <- n.servers[1].post("project/p/presence/update/", token, `{"session": "tab", "seq": 2, "section": "old"}`, &answer)
		}()
	}
	n.say(0, "update", bob, `{"session": "tab", "seq": 3, "section": "new"}`)
	n.say(0, "leave", alice, `{"session": "tab", "seq": 3}`)
	version := n.agree(reader, time.Second, []int{0}, "Bob new", "Dora d")
	for seq := 4; time.Since(paused) < shortLease+time.Second; seq++ {
		n.say(0, "update", bob, fmt.Sprintf(`{"session": "tab", "seq": %d, "section": "new"}`, seq))
		time.Sleep(200 * time.Millisecond)
	}
	n.servers[1].cmd.Process.Signal(syscall.SIGCONT)
	for range 2 {
		if status := <-late; status != 200 && status != 503 {
			t.Errorf("a message that waited in the node was answered with %d", status)
		}
	}
	if now := n.agree(reader, 2*time.Second, []int{0, 1}, "Bob new", "Dora d"); now != version {
		t.Errorf("nothing happened that anybody could see, and the version went from %d to %d", version, now)
	}
}

func TestRule13ANodeThatIsCutOffSaysThatItDoesNotKnowAndHeals(t *testing.T) { // rule 13, case 30
	n := startNodes(t, 2)
	reader := n.servers[0].token("Reader")
	n.beat(0, "Alice", "a")
	n.beat(1, "Bob", "b")
	before := n.agree(reader, 5*time.Second, []int{0, 1}, "Alice a", "Bob b")
	n.proxies[1].Cut()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		seen, _, status := n.list(1, reader)
		if status == 503 {
			break
		}
		if len(seen) == 0 {
			t.Fatalf("a node that is cut off says that nobody is here")
		}
		if time.Since(began) > 6*time.Second {
			t.Fatalf("a node that is cut off shows %q, for %v", seen, time.Since(began))
		}
	}
	if answer, status := n.say(1, "update", n.servers[1].token("Carol"), `{"section": "a"}`); status != 503 || answer.Code != "unavailable" {
		t.Errorf("an update at a node that is cut off is answered with %d %q; due: 503", status, answer.Code)
	}
	n.agree(reader, shortLease+time.Second, []int{0}, "Alice a") // Bob's node is not heard
	n.proxies[1].Pass()
	if after := n.agree(reader, 5*time.Second, []int{0, 1}, "Alice a", "Bob b"); after <= before {
		t.Errorf("the version went from %d to %d", before, after)
	}
}

func TestInvariant5AcrossProcesses(t *testing.T) { // case 21, invariant 5
	const writers = 6
	n := startNodes(t, 3)
	tokens := make([]string, writers)
	for i := range tokens {
		tokens[i] = n.servers[0].token(fmt.Sprint(i))
	}
	entering.Run(t, writers, 60, func(in entering.Entry, random *rand.Rand) (out entering.Outcome) {
		section := "s"
		if in.Leave {
			section = ""
		}
		answer, status := n.say(random.IntN(len(n.servers)), "update", tokens[in.Who],
			fmt.Sprintf(`{"session": "tab", "seq": %d, "section": %q, "unless_occupied": %v}`, in.Seq, section, in.Careful))
		if status != 200 {
			t.Errorf("an update was answered with %d %q", status, answer.Code)
		}
		out.Edits = answer.Activity == "editing"
		for _, u := range answer.Conflicts {
			var who int
			fmt.Sscan(u.Username, &who)
			out.Conflicts |= 1 << who
		}
		return out
	})
}

// refused starts a server that is not to start, and gives its exit status and what it said,
// which is one line and no more.
func refused(t *testing.T, args ...string) (status int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "WRITER_PRESENCE_TEST_MAIN=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	said = stderr.String()
	if !strings.HasPrefix(said, "writer-presence: ") || strings.Count(said, "\n") != 1 || stdout.Len() > 0 {
		t.Errorf("%q on stdout and %q on stderr; due: nothing, and one line", stdout.String(), said)
	}
	return cmd.ProcessState.ExitCode(), said
}

func TestARedisThatCannotBeUsedEndsTheStartWithOneSentence(t *testing.T) { // case 42
	closed := redistest.Start(t, "--requirepass", "s3cret-word")
	gone := redistest.Start(t)
	gone.Kill()
	for _, url := range []string{
		gone.URL(), "redis://:another-s3cret@" + closed.Addr, "redis://user:another-s3cret@host:port", "redis://user:another-s3cret@" + gone.Addr + "/x",
	} {
		began := time.Now()
		status, said := refused(t, "--redis-url", url, "--secret-file", filepath.Join(t.TempDir(), "secret"), "--data", t.TempDir())
		if status != 1 || strings.Contains(said, "s3cret") {
			t.Errorf("%s: exit status %d, and %q; due: 1, and no password", url, status, said)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: it took %v", url, took)
		}
	}
}

// TestNodesSpeakTLSToARedisThatTheyTrust has two nodes see each other's people over TLS, and
// one that does not know who vouches for the server refuse to start.
func TestNodesSpeakTLSToARedisThatTheyTrust(t *testing.T) {
	redis, authority := redistest.StartTLS(t)
	args := []string{"--dev", "--redis-url", "rediss://" + redis.Addr, "--secret-file", filepath.Join(t.TempDir(), "secret")}
	status, said := refused(t, args...)
	if status != 1 || !strings.Contains(said, "from an authority that this machine trusts") {
		t.Errorf("with an unknown authority: exit status %d and %q; due: 1, and what to do", status, said)
	}
	t.Setenv("SSL_CERT_FILE", authority)
	n := &nodes{T: t, servers: []*server{start(t, args...), start(t, args...)}}
	n.say(0, "update", n.servers[0].token("Alice"), `{"session": "tab", "section": "a"}`)
	n.agree(n.servers[1].token("Bob"), 5*time.Second, []int{0, 1}, "Alice a")
}

func TestWherePresenceIsIsSaidWithoutAPassword(t *testing.T) { // invariant 12
	for url, due := range map[string]string{
		"":                                 "data",
		"rediss://user:s3cret@host:6379/1": "rediss://host:6379/1",
		"redis://:s3cret@host:26379?master_set=m&sentinel_user=u&sentinel_password=s3cret": "redis://host:26379",
	} {
		s := settings{redisURL: url, data: "data"}
		if got := s.where(); got != due {
			t.Errorf("%q is told as %q; due: %q", url, got, due)
		}
	}
}
