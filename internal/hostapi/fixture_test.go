package hostapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/hostapi"
	"github.com/writer-presence/writer-presence/internal/redistest"
	"github.com/writer-presence/writer-presence/internal/servertest"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

func TestMain(m *testing.M) {
	// These goroutines of the Redis client end a few seconds after the client was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

const (
	oldKey = "0123456789abcdef0123456789abcdef"
	newKey = "another-key/of+exactly=32.bytes!"
)

// api is a handler with newKey as its key, and its service.
type api struct {
	*testing.T
	*hostapi.Handler
	service *presence.Service
	checked http.Handler // fails the test at every answer that docs/reference/openapi.yaml does not allow
	key     string       // of do
	logs    servertest.Log
}

func newAPI(t *testing.T, changes ...func(*hostapi.Options)) *api {
	t.Helper()
	store, err := sqlitestore.Open(t.TempDir(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newAPIOn(t, store, changes...)
}

// newAPIOn runs the store until the end of the test.
func newAPIOn(t *testing.T, store interface {
	presence.Store
	Run(context.Context) error
}, changes ...func(*hostapi.Options)) *api {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the store's Run returned %v", err)
		}
	})
	a := &api{T: t, service: presence.NewService(store), key: newKey}
	o := hostapi.Options{Service: a.service, Lease: presence.DefaultLease, Log: slog.New(slog.NewTextHandler(&a.logs, nil))}
	for _, change := range changes {
		change(&o)
	}
	a.Handler = hostapi.New(o)
	a.checked = servertest.CheckContract(t, a.Handler, "")
	a.setKeys(a.key)
	return a
}

// setKeys writes lines into a file and uses it as --api-key-file.
func (a *api) setKeys(lines ...string) {
	a.Helper()
	keys, err := hostapi.ReadKeys(keyFile(a.T, strings.Join(lines, "\n")+"\n"))
	if err != nil {
		a.Fatal(err)
	}
	a.SetKeys(&keys)
}

func keyFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// do sends a request with the key. Headers are names and values in turn; an empty value removes one.
func (a *api) do(method, path, body string, headers ...string) servertest.Response {
	a.Helper()
	r := httptest.NewRequest(method, hostapi.Prefix+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+a.key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	recorder := httptest.NewRecorder()
	a.checked.ServeHTTP(recorder, r)
	return servertest.Response{Status: recorder.Code, Header: recorder.Header(), Body: recorder.Body.String()}
}

// result is what the answers of the tests can have.
type result struct {
	Version  uint64
	Users    []servertest.User
	Saved    []servertest.Save
	Moved    []struct{ From, To string }
	Sessions []struct {
		Session  string
		UserID   any `json:"user_id"`
		Section  string
		Activity string
	}
	Projects json.RawMessage
	Next     string
}

// ok sends a request, which must succeed.
func (a *api) ok(method, path, body string) (got result) {
	a.Helper()
	answer := a.do(method, path, body)
	if err := json.Unmarshal([]byte(answer.Body), &got); err != nil || answer.Status != 200 {
		a.Fatalf("%s %s: got %d %s", method, path, answer.Status, answer.Body)
	}
	return got
}

// pages returns the projects of all pages of an address, and the number of pages.
func (a *api) pages(path string) (projects []project, pages int) {
	a.Helper()
	for cursor := ""; ; {
		got := a.ok("GET", path+cursor, "")
		var page []project
		if err := json.Unmarshal(got.Projects, &page); err != nil {
			a.Fatal(err)
		}
		projects, pages = append(projects, page...), pages+1
		if got.Next == "" {
			return projects, pages
		}
		cursor = "&cursor=" + escape(got.Next)
	}
}

type project struct {
	Project        string
	People, Agents int
	User           *servertest.User
}

// wantListed fails unless the project lists these users.
func (a *api) wantListed(project, want string) {
	a.Helper()
	if got := servertest.Names(a.ok("GET", "projects/"+project, "").Users); got != want {
		a.Errorf("got %q in %s, want %q", got, project, want)
	}
}

// enter has users 0 to n-1 enter projects of the same numbers.
func (a *api) enter(n int, in func(i int) (presence.Project, presence.User)) {
	a.Helper()
	var entering sync.WaitGroup
	const atOnce = 200
	for first := range atOnce {
		entering.Go(func() {
			for i := first; i < n; i += atOnce {
				p, user := in(i)
				if _, err := a.service.Update(a.Context(), p, user, presence.Update{Session: "tab", Section: "s"}); err != nil {
					a.Error(err)
				}
			}
		})
	}
	entering.Wait()
}

func numbered(i int) (presence.Project, presence.User) {
	return presence.Project(fmt.Sprint("project-", i)), presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: fmt.Sprint("User ", i)}
}

// onBothStores runs a test on an API with each store.
func onBothStores(t *testing.T, test func(a *api)) {
	t.Run("sqlite", func(t *testing.T) { test(newAPI(t)) })
	t.Run("redis", func(t *testing.T) {
		test(newAPIOn(t, redistest.OpenStore(t, redistest.Start(t).URL(), redisstore.Options{})))
	})
}
