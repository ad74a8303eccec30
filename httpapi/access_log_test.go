package httpapi_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// accessLog makes a server write an access log.
func accessLog(logs *servertest.Log) func(*servertest.Config) {
	return func(p *servertest.Config) { p.AccessLog = slog.New(slog.NewTextHandler(logs, nil)) }
}

var accessLine = regexp.MustCompile(`^time=\S+ level=INFO msg=request request=(\S+) method=(\S+) path=(\S+) status=(\d+) bytes=(\d+) duration_ms=[0-9.]+ user=("")?([0-9a-f]{16})?\n$`)

func TestAccessLogHasOneLineForEachRequest(t *testing.T) {
	logs := &servertest.Log{}
	w := servertest.New(t, accessLog(logs), func(p *servertest.Config) { p.Authenticator, p.Dev = sharedSecret(t), nil })
	const secret = "SeCrEt7"
	token := func(user string) string { return jwtOf(t, "sub", user, "name", secret, "projects", []string{"p"}) }
	alice, base := token("1042"), httpapi.DefaultPrefix
	users := map[string][]string{} // tokens by hash
	for _, c := range []struct {
		method, path, token, want string
		status                    int
	}{
		{"POST", base + "/project/p/presence/update/", alice, base + "/project/p/presence/update/", 200},
		{"GET", base + "/project/p/presence/list/?token=" + secret, alice, base + "/project/p/presence/list/", 200},
		{"HEAD", base + "/project/p/presence/list/", alice, base + "/project/p/presence/list/", 200},
		{"GET", base + "/presence/counts/?project=p", alice, base + "/presence/counts/", 200},
		{"GET", base + "/project/q/presence/list/", token("7"), base + "/project/q/presence/list/", 404},
		{"GET", base + "/project/p/presence/list/", secret, base + "/project/p/presence/list/", 401},
		{"POST", base + "/project/p/presence/live/", alice, base + "/project/p/presence/live/", 405},
		{"GET", base + "/project/" + secret + ":/presence/list/", alice, base + "/project/*", 400},
		{"GET", base + "/project/p/presence/" + secret, alice, base + "/project/p/*", 404},
		{"GET", base + "/" + secret, "", base + "/*", 404},
		{"GET", "/" + secret, "", "/*", 404},
		{secret, "/", "", "/", 405},
		{"GET", "/", "", "/", 200},
	} {
		before := len(logs.String())
		headers := []string{"Content-Type", "application/json", "Cookie", "session=" + secret}
		if c.token != "" {
			headers = append(headers, "Authorization", "Bearer "+c.token)
		}
		got := w.Do(c.method, c.path, strings.NewReader(`{"section": "`+secret+`"}`), headers...)
		line := logs.String()[before:]
		found := accessLine.FindStringSubmatch(line)
		if found == nil {
			t.Fatalf("%s %s: the log has %q; want one line", c.method, c.path, line)
		}
		method := c.method
		if method == secret {
			method = "other"
		}
		want := []string{got.Header.Get("X-Request-Id"), method, c.want, fmt.Sprint(c.status), fmt.Sprint(len(got.Body))}
		if encoded := got.Header.Get("Content-Encoding") != ""; found[1] == "" || got.Status != c.status || !slices.Equal(found[1:5], want[:4]) || !encoded && found[5] != want[4] {
			t.Errorf("%s %s: answered %d, and the log has %q; want %q", c.method, c.path, got.Status, found[1:6], want)
		}
		if hash := found[7]; hash != "" {
			users[hash] = append(users[hash], c.token)
		}
	}
	if got := slices.Collect(maps.Values(users)); len(got) != 2 || len(got[0])*len(got[1]) != 4 || strings.Contains(logs.String(), "1042") {
		t.Errorf("the users by their hashes are %q; want one for four requests of 1042, and another one for the request of 7", users)
	}
	if strings.Contains(logs.String(), secret) {
		t.Errorf("the log has a secret:\n%s", logs)
	}
}

func TestHashOfAUserIsTheSameForAllRequestsToAServerAndNotForAnother(t *testing.T) {
	var hashes []string
	for range 2 {
		logs := &servertest.Log{}
		w := servertest.New(t, servertest.Direct, accessLog(logs))
		for range 2 {
			w.As("alice", "1").List()
		}
		found := regexp.MustCompile(`user=([0-9a-f]{16})\n`).FindAllStringSubmatch(logs.String(), -1)
		if len(found) != 2 || found[0][1] != found[1][1] {
			t.Fatalf("two requests of one user have the hashes %q, want one:\n%s", found, logs)
		}
		hashes = append(hashes, found[0][1])
	}
	if hashes[0] == hashes[1] {
		t.Errorf("a user has the hash %s on two servers; want another one, since the key is not kept", hashes[0])
	}
}

func TestUsableRequestIDsAreReturned(t *testing.T) {
	w := servertest.New(t, servertest.Direct)
	for id, want := range map[string]bool{
		"": false, "a": true, "Root=1-67891233-abcdef012345678912345678;Parent=0": true, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": true,
		"a+/b=:@_~.": true, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
		"a b": false, `a"b`: false, `a\b`: false, "a\tb": false, "é": false, "<script>": false, "a,b": false,
	} {
		got := w.Do("GET", "/", nil, "X-Request-ID", id).Header["X-Request-Id"]
		if want && (len(got) != 1 || got[0] != id) || !want && got != nil {
			t.Errorf("for the id %q the answer has %q; want it: %v", id, got, want)
		}
	}
}

// The log has the errors of a store without --log-level debug.
func TestErrorsAreLoggedWithTheRequestIDOfTheAnswer(t *testing.T) {
	var store servertest.FlakyStore
	store.Fail(errors.New("the store"), errors.New("the store"))
	for _, id := range []string{"", "from-a-proxy"} {
		w := servertest.New(t, servertest.Direct, store.Install)
		got := w.Do("GET", httpapi.DefaultPrefix+servertest.ProjectPath+"list/", nil, "Authorization", "Bearer "+w.As("alice", "1").Token, "X-Request-ID", id)
		returned := got.Header.Get("X-Request-Id")
		if got.Status != 500 || returned == "" || id != "" && returned != id || !strings.Contains(w.Logs.String(), "request="+returned+" ") {
			t.Errorf("a request with the id %q is answered %d with the id %q, and the log has %s", id, got.Status, returned, w.Logs)
		}
	}
}

func TestLiveConnectionIsInTheAccessLogWhenItsHandshakeEnds(t *testing.T) {
	logs := &servertest.Log{}
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		w.Connect("X-Request-ID", "of-the-handshake")
		synctest.Wait()
		if text := logs.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "request=of-the-handshake method=GET path="+servertest.LivePath+" status=101 ") {
			t.Errorf("the log has %s; want the handshake", text)
		}
	}, accessLog(logs))
}
