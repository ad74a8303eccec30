package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/hostapi/client"
	"github.com/writer-presence/writer-presence/internal/hostapi"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

const key = "0123456789abcdef0123456789abcdef"

// start starts a host API on a store of its own, and returns its address and store.
func start(t *testing.T, tenants bool) (address string, store *sqlitestore.Store) {
	t.Helper()
	store, err := sqlitestore.Open(t.TempDir(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	api := hostapi.New(hostapi.Options{Service: presence.NewService(store), Tenants: tenants, Lease: presence.DefaultLease, Events: store})
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := hostapi.ReadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	api.SetKeys(&keys)
	server := httptest.NewServer(api)
	t.Cleanup(func() { server.Close(); cancel(); <-ended })
	return server.URL, store
}

func newClient(t *testing.T, address string) *client.Client {
	t.Helper()
	c, err := client.New(address+"/", key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func projects(t *testing.T, c *client.Client, prefix string) (all []string) {
	t.Helper()
	for p, err := range c.Projects(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Project)
	}
	return all
}

func TestClientCallsTheWholeAPI(t *testing.T) {
	address, store := start(t, false)
	c, ctx, service := newClient(t, address), t.Context(), presence.NewService(store)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var entering sync.WaitGroup
	for i := range 150 { // two pages
		entering.Go(func() {
			if _, err := service.Update(ctx, presence.Project(fmt.Sprint("many-", i)), presence.User{ID: "9", Name: "Zoe"}, presence.Update{}); err != nil {
				t.Error(err)
			}
		})
	}
	entering.Wait()
	if got := projects(t, c, "many-"); len(got) != 150 {
		t.Errorf("got %d projects, want 150", len(got))
	}
	_, err := service.Update(ctx, "thesis", presence.User{ID: "7", Name: "Alice"}, presence.Update{Session: "tab", Section: "intro", Unsaved: true})
	must(err)
	conflicts, err := c.ListUser(ctx, "thesis", "../bot", client.Listed{Name: "Robot", Agent: true, Section: "intro", Seconds: 60})
	must(err)
	if len(conflicts) != 1 || conflicts[0].ID != "7" {
		t.Errorf("got the conflicts %+v, want Alice", conflicts)
	}
	must(c.Save(ctx, "thesis", client.Save{Section: "intro", Revision: "42", User: "8", Name: "Bob"}))
	must(c.MoveSection(ctx, "thesis", "intro", "start"))
	s, err := c.Project(ctx, "thesis")
	must(err)
	if len(s.Users) != 2 || s.Users[0].Section != "start" || !reflect.DeepEqual(s.Users[0].Unsaved, []string{"start"}) || !s.Users[1].Agent ||
		len(s.Sessions) != 2 || len(s.Saved) != 1 || s.Saved[0].User != "8" || s.Saved[0].Section != "start" || time.Since(s.Users[0].LastSeen) > time.Minute {
		t.Errorf("got %+v", s)
	}
	places, err := c.User(ctx, "../bot")
	must(err)
	if len(places) != 1 || places[0].Project != "thesis" || places[0].User.Name != "Robot" {
		t.Errorf("got the places %+v, want thesis", places)
	}
	must(c.RemoveUser(ctx, "thesis", "7", time.Minute))
	_, err = service.Update(ctx, "thesis", presence.User{ID: "7", Name: "Alice"}, presence.Update{Session: "tab", Seq: 9})
	if !errors.Is(err, presence.ErrRemoved) {
		t.Errorf("after a removal got %v, want ErrRemoved", err)
	}
	if n, err := c.RemoveUserEverywhere(ctx, "9", 0); err != nil || n != 150 {
		t.Errorf("removed from %d projects, %v, want 150", n, err)
	}
	must(c.RemoveAll(ctx, "thesis", 0))
	if got := projects(t, c, ""); len(got) != 0 {
		t.Errorf("got the projects %q, want none", got)
	}
}

func TestClientOfATenantNamesProjectsWithoutIt(t *testing.T) {
	address, _ := start(t, true)
	c, ctx := newClient(t, address), t.Context()
	for _, tenant := range []string{"a.example", "b.example"} {
		c.Tenant = tenant
		if _, err := c.ListUser(ctx, "p", "7", client.Listed{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := projects(t, c, ""); !reflect.DeepEqual(got, []string{"p"}) {
		t.Errorf("got the projects %q, want p", got)
	}
	if places, err := c.User(ctx, "7"); err != nil || len(places) != 1 || places[0].Project != "p" {
		t.Errorf("got the places %+v, %v, want p", places, err)
	}
	if n, err := c.RemoveUserEverywhere(ctx, "7", 0); err != nil || n != 1 {
		t.Errorf("removed from %d projects, %v, want 1", n, err)
	}
}

func TestErrorsHaveCodeAndSentence(t *testing.T) {
	address, _ := start(t, false)
	c := newClient(t, address)
	var failure *client.Error
	if _, err := c.Project(t.Context(), "a b"); !errors.As(err, &failure) || failure.Status != 400 || failure.Code != "project_invalid" || failure.Message == "" {
		t.Errorf("got %+v, want project_invalid", err)
	}
	began := time.Now()
	if err := c.RemoveUser(t.Context(), "p", "7", time.Minute); err != nil {
		t.Fatal(err)
	}
	_, err := c.ListUser(t.Context(), "p", "7", client.Listed{})
	if !errors.As(err, &failure) || failure.Code != "removed" || failure.RetryAfter > time.Minute || failure.RetryAfter < time.Minute-time.Since(began) {
		t.Errorf("got %+v, want removed for the rest of a minute", err)
	}
	other, _ := client.New(address, "a-wrong-key")
	for _, err := range other.Projects(t.Context(), "") {
		if !errors.As(err, &failure) || failure.Status != 401 || failure.Code != "api_key_invalid" || strings.Contains(err.Error(), "a-wrong-key") {
			t.Errorf("got %v, want api_key_invalid without the key", err)
		}
	}
	proxy := httptest.NewServer(http.NotFoundHandler())
	defer proxy.Close()
	if _, err := newClient(t, proxy.URL).User(t.Context(), "7"); !errors.As(err, &failure) || failure.Status != 404 || failure.Code != "" || failure.Message == "" {
		t.Errorf("got %+v, want an error without a code", err)
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<p>Sign in") }))
	defer page.Close()
	if _, err := newClient(t, page.URL).User(t.Context(), "7"); !errors.As(err, &failure) || failure.Code != "" || !strings.HasPrefix(err.Error(), "the host API answered 200: ") {
		t.Errorf("a page is answered with %v, want an error without a code", err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"another server": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, address+r.URL.Path, http.StatusTemporaryRedirect)
		},
	} {
		server := httptest.NewServer(answer)
		defer server.Close()
		if err := newClient(t, server.URL).RemoveUser(t.Context(), "p", "7", 0); !errors.As(err, &failure) || failure.Code != "" {
			t.Errorf("%s: got %v, want an error without a code", name, err)
		}
	}
	for _, address := range []string{"", "127.0.0.1:9090", "http://", "ftp://x", "http://x/api/v1", "http://u:p-word@x", "u:p-word@x:1", "http://x?y"} {
		_, host, _ := strings.Cut(address, "@")
		if _, err := client.New(address, key); err == nil || strings.Contains(err.Error(), "p-word") || !strings.Contains(err.Error(), host+`"`) {
			t.Errorf("the address %q: %v; want an error with it, without a password", address, err)
		}
	}
	for _, key := range []string{"", key + "\n", key + "\n" + key, key + " ", key + "é"} {
		if _, err := client.New(address, key); err == nil || strings.Contains(err.Error(), "0123") {
			t.Errorf("the key %q: %v; want an error without it", key, err)
		}
	}
}
