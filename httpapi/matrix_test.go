package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

const (
	jwtSecret = "a secret of this test, of more than 32 bytes"
	canary    = "CaNaRy-of-the-thesis"
)

// hostApplication has alice, a member of the project thesis, and mallory, who is not. The project blog is open to all
// users and to visitors. It is unavailable for one project.
func hostApplication(t *testing.T) *identity.Host {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, _ := r.Cookie("session")
		who := ""
		if cookie != nil {
			who = cookie.Value
		}
		w.Header().Set("Writer-Presence", "1")
		switch project := strings.Trim(r.URL.Path, "/"); {
		case project == "down":
			w.WriteHeader(http.StatusInternalServerError)
		case project == "blog" && who == "":
			w.WriteHeader(http.StatusUnauthorized)
		case project == "blog", project == "thesis" && who == "alice":
			fmt.Fprintf(w, `{"user_id": %q, "username": %q}`, who, who)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	host, err := identity.NewHost(server.URL+"/{project}", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return host
}

func sharedSecret(t *testing.T) *identity.JWT {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(jwtSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := identity.SharedSecret(path)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func token(t *testing.T, key string, age time.Duration, projects ...string) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "of-" + strings.Join(projects, "-"), "username": "tok", "projects": projects, "exp": time.Now().Add(time.Hour - age).Unix(),
	}).SignedString([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Forbidden and unknown projects must get identical responses, and a rejected request must change nothing.
func TestAccessOfEveryRoleToEveryProjectByEveryOperation(t *testing.T) { // rules 14 and 15, cases 37 to 39, invariant 9
	w := servertest.New(t, func(p *servertest.Config) {
		p.Dev = nil
		p.Keys, _ = identity.NewKeys([]byte("the key of a test, and of nothing else"))
		visitors := &identity.Visitors{Keys: p.Keys, Allowed: func(p presence.Project) bool { return p == "blog" }}
		p.Authenticator = identity.FirstOf(sharedSecret(t), hostApplication(t), visitors)
	})
	live := httptest.NewServer(w.Handler) // without the check of the contract, which has no connection
	t.Cleanup(live.Close)
	visitor := w.Anonymous()
	blog := visitor.Do("POST", httpapi.DefaultPrefix+"/project/blog/presence/update/", `{"session": "v", "section": "s"}`)
	if blog.Status != 200 || visitor.Cookie == "" {
		t.Fatalf("a visitor's update: %d %s", blog.Status, blog.Body)
	}
	const may, nobody, no, invalid, unknown = 200, 401, 404, 401, 503
	roles := map[string]struct {
		headers []string
		access  map[string]int // by project; the default is 404
		unnamed bool           // an update makes the caller a visitor
	}{
		"a member by cookie":          {[]string{"Cookie", "session=alice"}, map[string]int{"thesis": may, "blog": may, "down": unknown}, false},
		"a member with a visitor's":   {[]string{"Cookie", "session=alice; " + visitor.Cookie}, map[string]int{"thesis": may, "blog": may, "down": unknown}, false},
		"a user who is no member":     {[]string{"Cookie", "session=mallory"}, map[string]int{"blog": may, "down": unknown}, false},
		"a visitor":                   {[]string{"Cookie", visitor.Cookie}, map[string]int{"blog": may, "down": unknown}, false},
		"a token for the thesis":      {[]string{"Authorization", "Bearer " + token(t, jwtSecret, 0, "thesis")}, map[string]int{"thesis": may}, false},
		"a token for another project": {[]string{"Authorization", "Bearer " + token(t, jwtSecret, 0, "other")}, map[string]int{"other": may}, false},
		"a token for none":            {[]string{"Authorization", "Bearer " + token(t, jwtSecret, 0)}, nil, false},
		"a forged token":              {[]string{"Authorization", "Bearer " + token(t, jwtSecret+"!", 0, "thesis")}, map[string]int{"*": invalid}, false},
		"a forged one and a member's": {[]string{"Authorization", "Bearer " + token(t, jwtSecret+"!", 0, "thesis"), "Cookie", "session=alice"}, map[string]int{"*": invalid}, false},
		"a token that has ended":      {[]string{"Authorization", "Bearer " + token(t, jwtSecret, 2*time.Hour, "thesis")}, map[string]int{"*": invalid}, false},
		"a name in the wrong place":   {[]string{"Authorization", "Basic YWxpY2U6", "Cookie", "user=alice"}, map[string]int{"blog": may, "down": unknown}, true},
		"a forged visitor's cookie":   {[]string{"Cookie", "writer_presence_visitor=AAAAAAAAAAAAAAAA.t.AAAA"}, map[string]int{"blog": nobody, "down": unknown}, false},
		"forged identity headers":     {[]string{"X-User-Id", "alice", "X-Forwarded-User", "alice", "Remote-User", "alice"}, map[string]int{"blog": may, "down": unknown}, true},
	}
	forbidden := map[string]string{}
	for _, id := range []string{"thesis", "blog", "other", "nothing", "down"} {
		base := httpapi.DefaultPrefix + "/project/" + id + "/presence/"
		for role, r := range roles {
			access, ok := r.access[id]
			if every, all := r.access["*"]; all {
				access = every
			} else if !ok {
				access = no
			}
			for operation, try := range map[string]func() servertest.Response{
				"list": func() servertest.Response { return w.Do("GET", base+"list/", nil, r.headers...) },
				"update": func() servertest.Response {
					return w.Do("POST", base+"update/", strings.NewReader(`{"session": "m", "section": "taken", "user_id": "alice", "username": "alice", "waiting_for": "other", "saved": {"section": "taken by `+strings.ReplaceAll(role, "'", "")+`", "revision": "7"}}`), append([]string{"Content-Type", "application/json"}, r.headers...)...)
				},
				"leave": func() servertest.Response {
					return w.Do("POST", base+"leave/", strings.NewReader(`{"session": "c", "seq": 9, "user_id": "canary"}`), append([]string{"Content-Type", "application/json"}, r.headers...)...)
				},
				"live": func() servertest.Response {
					return shakeHands(t, live.Listener.Addr().String(), base+"live/", r.headers...)
				},
			} {
				want := access
				switch {
				case operation == "live" && access == may:
					want = http.StatusSwitchingProtocols
				case operation == "leave" && access == may && r.unnamed:
					want = nobody // an unknown caller has no session to end
				}
				got := try()
				if got.Status != want {
					t.Errorf("%s, %s of %s: got %d %s, want %d", role, operation, id, got.Status, got.Body, want)
				}
				if access != may && strings.Contains(got.Body, "taken") || id != "thesis" && strings.Contains(got.Body, canary) {
					t.Errorf("%s, %s of %s: the response %s reveals data of the project", role, operation, id, got.Body)
				}
				if access == no {
					if before, ok := forbidden[operation]; ok && before != got.Body {
						t.Errorf("%s, %s of %s: rejected by %s, and elsewhere by %s", role, operation, id, got.Body, before)
					}
					forbidden[operation] = got.Body
				}
			}
		}
	}
	for role, r := range roles {
		// Without the project whose authorisation is unavailable, which fails the request.
		got := w.Do("GET", httpapi.DefaultPrefix+"/presence/counts/?project=thesis&project=blog&project=other&project=nothing", nil, r.headers...)
		want, seen := []string{}, may
		for _, id := range []string{"blog", "other", "thesis"} {
			if r.access[id] == may {
				want = append(want, id)
			} else if r.access[id] == nobody {
				seen = nobody
			}
		}
		if every, all := r.access["*"]; all {
			seen = every
		}
		if got.Status != seen {
			t.Errorf("%s, counts: got %d %s, want %d", role, got.Status, got.Body, seen)
		} else if seen == may && !slices.Equal(slices.Sorted(maps.Keys(countsOf(t, got))), want) {
			t.Errorf("%s, counts: got %s, want those of %q", role, got.Body, want)
		}
	}
	if len(forbidden) != 4 {
		t.Errorf("got %d rejected operations, want 4", len(forbidden))
	}
	for _, body := range forbidden {
		if body != forbidden["list"] {
			t.Errorf("rejected by %s, and by %s", body, forbidden["list"])
		}
	}
	list := w.Anonymous().ExpectSuccess(w.Do("GET", httpapi.DefaultPrefix+"/project/thesis/presence/list/", nil, "Cookie", "session=alice"))
	if got := servertest.Names(*list.Users); got != "alice tok" {
		t.Errorf("got %q in the list of the thesis, want its two members", got)
	}
	want := "taken by a member by cookie@7 by alice, taken by a member with a visitors@7 by alice, taken by a token for the thesis@7 by tok"
	if got := servertest.Saves(list.Saved); got != want {
		t.Errorf("got the saves %q in the list of the thesis, want those of its members: %q", got, want)
	}
}

// handshake requests a live connection, closes it and returns the response.
func shakeHands(t *testing.T, host, path string, headers ...string) servertest.Response {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, servertest.HandshakeRequest(host, path, headers...))
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode == http.StatusSwitchingProtocols {
		return servertest.Response{Status: got.StatusCode}
	}
	body, _ := io.ReadAll(got.Body)
	return servertest.Response{Status: got.StatusCode, Header: got.Header, Body: string(body)}
}
