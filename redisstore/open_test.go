package redisstore_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/redisstore"
)

// Errors of Open are one line that says what to do and contains no password.
func TestErrorsOfOpenSayWhatToDo(t *testing.T) { // invariant 12, case 42
	t.Parallel()
	server := redistest.Start(t)
	protected := redistest.Start(t, "--requirepass", secret)
	full := redistest.Start(t, "--maxmemory", "1000", "--maxmemory-policy", "noeviction")
	replica := redistest.StartReplica(t, server)
	paused := redistest.Start(t)
	paused.Pause()
	cluster := redistest.StartCluster(t, 1)[0]
	sentinel := redistest.StartSentinel(t, server, replica)
	protectedSentinel := redistest.StartSentinel(t, server, replica, "requirepass "+secret)
	gone := redistest.Start(t)
	gone.Kill()
	server.Do("ACL", "SETUSER", "nokeys", "on", ">"+secret, "~other:*", "&*", "+@all", "-@dangerous")
	server.Do("ACL", "SETUSER", "nochannels", "on", ">"+secret, "~writer-presence:*", "resetchannels", "+@all", "-@dangerous")
	for _, c := range []struct{ name, url, want string }{
		{"unreachable", gone.URL(), "see that it runs"},
		{"does not answer", paused.URL(), "see that it runs"},
		{"requires a password", protected.URL(), "give the right user and password"},
		{"a wrong password", "redis://:" + secret + "x@" + protected.Addr, "give the right user and password"},
		{"an unknown user", "redis://nobody:" + secret + "@" + server.Addr, "give the right user and password"},
		{"may not use the keys", "redis://nokeys:" + secret + "@" + server.Addr, "~writer-presence:*"},
		{"may not use the channels", "redis://nochannels:" + secret + "@" + server.Addr, "&writer-presence:*"},
		{"a replica", replica.URL(), "give the address of the master"},
		{"an unknown database", server.URL() + "/99", "no database 99"},
		{"another database of a cluster", cluster.URL() + "/1", "no database 1"},
		{"without memory", full.URL(), "maxmemory"},
		{"TLS to a server without TLS", "rediss://" + server.Addr, "speaks TLS there"},
		{"an unknown master of Sentinels", strings.Replace(sentinel, redistest.Master, "readers", 1), "know a master of that name"},
		{"Sentinels that require a password", protectedSentinel, "&sentinel_password="},
		{"a wrong password for Sentinels", protectedSentinel + "&sentinel_password=" + secret + "x", "&sentinel_password="},
		{"no Sentinel", server.URL() + "?master_set=" + redistest.Master, "is no Sentinel"},
		{"no address", "redis://user:" + secret + "@host:port", "cannot be read"},
		{"a password that is not escaped", "redis://:" + secret + "/and+more=@" + server.Addr, "%2F"},
		{"an unknown parameter", server.URL() + "?password=" + secret, "is none of addr,"},
		{"a password with a slash after digits", "redis://user:123/" + secret + "@" + server.Addr, "%2F"},
		{"a parameter with a wrong escape", server.URL() + "?master_set=m&sentinel_password=%zz" + secret, "%2F"},
		{"a password with a question mark", "redis://:123?" + secret + "@" + server.Addr, "is none of addr,"},
		{"an empty parameter", server.URL() + "?addr=", "addr is empty"},
		{"a Sentinel's password without Sentinels", server.URL() + "?sentinel_password=" + secret, "goes with master_set"},
		{"no cluster", server.URL() + "?addr=" + server.Addr, "is no cluster"},
		{"not Redis", "http://:" + secret + "@127.0.0.1", "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			err := openError(t, c.url, redisstore.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v; want an error with %q", err, c.want)
			}
			t.Log(err)
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error contains a password or more than one line: %q", err)
			}
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("Open took %v; the limit is 8 s", took)
			}
		})
	}
}

// permissions are those that a user of Redis needs. The second line is for a cluster, the third for
// Sentinels, the fourth for a database other than 0, the fifth for events.
const permissions = `resetchannels ~writer-presence:* &writer-presence:* -@all +ping +eval +evalsha +time +hmget +hgetall +hget +hset +hdel +pexpire +publish +subscribe
	+spublish +ssubscribe +cluster|slots +cluster|shards +asking
	+role
	+select
	+scan +role +xadd +xrange +xrevrange`

// Open must fail, and not the first call that needs the permission.
func TestOpenFailsIfAPermissionIsMissing(t *testing.T) { // case 42
	t.Parallel()
	server := redistest.Start(t)
	all := strings.Fields(strings.Split(permissions, "\n")[0])
	for i, permission := range all {
		if !strings.HasPrefix(permission, "+") {
			continue
		}
		server.Do("SCRIPT", "FLUSH")
		server.Do(slices.Concat([]string{"ACL", "SETUSER", "few", "reset", "on", ">" + secret}, all[:i], all[i+1:])...)
		err := openError(t, "redis://few:"+secret+"@"+server.Addr, redisstore.Options{})
		if err == nil || !strings.Contains(err.Error(), "let the user run the commands in docs/how-to/several-nodes.md") {
			t.Errorf("without %s: %v; want an error that names the list of permissions", permission, err)
		}
	}
}

func TestDocumentedPermissionsAreEnough(t *testing.T) {
	t.Parallel()
	lines := strings.Split(permissions, "\n")
	page, err := os.ReadFile("../docs/how-to/several-nodes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, permission := range strings.Fields(permissions) {
		if !strings.Contains(string(page), permission) {
			t.Errorf("docs/how-to/several-nodes.md does not list %s", permission)
		}
	}
	allow := func(server *redistest.Server, permissions string) {
		server.Do(append([]string{"ACL", "SETUSER", "few", "on", ">" + secret}, strings.Fields(permissions)...)...)
	}
	single, another, cluster, master := redistest.Start(t), redistest.Start(t), redistest.StartCluster(t, 2), redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	allow(single, lines[0]+lines[4])
	allow(another, lines[0]+lines[3])
	for _, n := range cluster {
		allow(n, lines[0]+lines[1]+lines[4])
	}
	allow(master, lines[0]+lines[2])
	allow(replica, lines[0]+lines[2])
	sentinel := redistest.StartSentinel(t, master, replica, "requirepass sentinel-password")
	for _, url := range []string{"redis://" + single.Addr, "redis://" + another.Addr + "/1", "redis://" + cluster[0].Addr, sentinel + "&sentinel_password=sentinel-password"} {
		nodes := []*node{}
		for range 2 {
			nodes = append(nodes, startNode(t, strings.Replace(url, "//", "//few:"+secret+"@", 1), nil, shortLease))
		}
		screens := []*screen{nodes[0].watch(project), nodes[1].watch(project)}
		nodes[0].update(project, writer("Alice"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
		nodes[1].update(project, writer("Bob"), presence.Update{Session: "tab", Seq: 1, Section: "a"})
		agree(t, nodes, screens, "Alice Bob", recoveryTime)
		nodes[1].leave(project, writer("Bob"), presence.Leave{Session: "tab", Seq: 2})
		agree(t, nodes, screens, "Alice", recoveryTime)
		agree(t, nodes, screens, "", shortLease+time.Second)
		if url == "redis://"+single.Addr || url == "redis://"+cluster[0].Addr {
			useEvents(t, nodes[0].store)
		}
	}
}

// useEvents uses every command of events.
func useEvents(t *testing.T, e presence.EventStore) {
	t.Helper()
	_, claimed, err := e.Claim(t.Context(), project, "h", time.Minute)
	_, err2 := e.Announce(t.Context(), project, "h", presence.Announcement{State: []byte("{}")})
	due, err3 := e.Unannounced(t.Context())
	err4 := e.AppendEvents(t.Context(), [][]byte{[]byte("a")})
	_, next, _, err5 := e.Events(t.Context(), "", 1)
	_, _, known, err6 := e.Events(t.Context(), next, 1)
	if err := errors.Join(err, err2, err3, err4, err5, err6); err != nil || !claimed || !slices.Contains(due, project) || !known {
		t.Errorf("events cannot be used: %v; the project is claimed %v, unannounced are %q, and the log is known %v", err, claimed, due, known)
	}
}

func TestOpenRejectsOldVersionsOfRedis(t *testing.T) {
	for version, want := range map[string]int{
		"5.0.14": 0, "6.0.20": 0, "6.2.0": 6, "6.10.1": 6, "7.0.15": 7, "7.2.4": 7, "8.0": 8, "10.1.2": 10, "": 0, "new": 0, "6": 0,
	} {
		major, err := redisstore.MajorVersion(version)
		if major != want || (err == nil) != (want > 0) || err != nil && !strings.Contains(err.Error(), "6.2 or later") {
			t.Errorf("version %q has the major version %d, %v; want %d", version, major, err, want)
		}
	}
}
