package identity_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/ratelimit"
)

func TestVisitorsAreAcceptedOnlyInAllowedProjects(t *testing.T) {
	v := &identity.Visitors{Keys: newKeys(t, "k"), Allowed: func(p presence.Project) bool { return p == "open" }}
	cookie := ""
	for _, c := range []struct {
		project presence.Project
		cookie  bool
		looking bool
		err     error
	}{
		{"closed", false, false, identity.ErrNobody}, {"closed", false, true, identity.ErrNobody}, {"", false, false, identity.ErrNobody},
		{"open", false, true, nil}, {"open", false, false, nil}, {"open", true, false, nil}, {"open", true, true, nil},
		{"closed", true, false, identity.ErrNobody}, {"closed", true, true, identity.ErrNobody},
	} {
		r := request()
		if c.cookie {
			r = request("Cookie", cookie)
		}
		r.Project, r.ReadOnly = c.project, c.looking
		got, err := v.Authenticate(t.Context(), r)
		if !errors.Is(err, c.err) {
			t.Errorf("%+v: got %v, want %v", c, err, c.err)
		}
		if known := err == nil && (c.cookie || !c.looking); (got.User.ID != "") != known {
			t.Errorf("%+v: got user %q, want one: %v", c, got.User.ID, known)
		}
		if made := err == nil && !c.cookie && !c.looking; (got.Cookie != nil) != made {
			t.Errorf("%+v: got the cookie %v, want one: %v", c, got.Cookie, made)
		}
		if got.Cookie != nil {
			cookie = "other=1; " + got.Cookie.Name + "=" + got.Cookie.Value
		}
	}
}

func TestVisitorNameIsVisitorAndFourDigits(t *testing.T) { // case 16
	v := &identity.Visitors{Keys: newKeys(t, "k"), Allowed: identity.EveryProject, Rate: identity.NoLimit}
	form := regexp.MustCompile(`^Visitor [1-9][0-9]{3}$`)
	ids := map[presence.UserID]bool{}
	for range 2000 {
		got, err := v.Authenticate(t.Context(), request())
		if err != nil {
			t.Fatal(err)
		}
		u := got.User
		if !form.MatchString(u.Name) || !u.Visitor || !strings.HasPrefix(string(u.ID), presence.VisitorPrefix) || ids[u.ID] {
			t.Fatalf("got %+v, want a new visitor with a name of Visitor and four digits", u)
		}
		if cleaned, err := presence.NewUser(u.ID, u.Name, true); err != nil || cleaned != u {
			t.Fatalf("NewUser of the visitor %+v: got %+v, %v, want the same", u, cleaned, err)
		}
		ids[u.ID] = true
	}
}

func TestVisitorCookieExpiresAfterAYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &identity.Visitors{Keys: newKeys(t, "k"), Allowed: identity.EveryProject}
		made, err := v.Authenticate(t.Context(), request())
		if err != nil {
			t.Fatal(err)
		}
		with := request("Cookie", made.Cookie.Name+"="+made.Cookie.Value)
		time.Sleep(time.Duration(made.Cookie.MaxAge) * time.Second)
		if got, err := v.Authenticate(t.Context(), with); err != nil || got.User != made.User {
			t.Errorf("after a year: got %+v, %v, want %+v", got.User, err, made.User)
		}
		time.Sleep(time.Second)
		if got, err := v.Authenticate(t.Context(), with); !errors.Is(err, identity.ErrCookieInvalid) || got.Cookie == nil || got.Cookie.MaxAge >= 0 {
			t.Errorf("after a year and a second: got %+v, %v, want ErrCookieInvalid and a cookie that clears it", got, err)
		}
	})
}

func TestKnownVisitorsAndReadersAreNotCountedAsNewVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &identity.Visitors{Keys: newKeys(t, "k"), Allowed: identity.EveryProject, Rate: identity.Rate{PerSecond: 1, Burst: 1}}
		made, err := v.Authenticate(t.Context(), request())
		if err != nil {
			t.Fatal(err)
		}
		looking := request()
		looking.ReadOnly = true
		elsewhere := request()
		elsewhere.Address = "192.0.2.2"
		for name, r := range map[string]identity.Request{"known": request("Cookie", made.Cookie.Name+"="+made.Cookie.Value), "looking": looking, "elsewhere": elsewhere} {
			if _, err := v.Authenticate(t.Context(), r); err != nil {
				t.Errorf("%s: got %v, want nil", name, err)
			}
		}
		_, err = v.Authenticate(t.Context(), request())
		var tooMany *ratelimit.Exceeded
		if !errors.Is(err, identity.ErrTooManyVisitors) || !errors.As(err, &tooMany) || tooMany.After != time.Second {
			t.Errorf("second visitor of an address: got %v (%+v), want ErrTooManyVisitors after 1 s", err, tooMany)
		}
	})
}

func FuzzCookieIsSignedVisitorOrRejected(f *testing.F) {
	keys := newKeys(f, "k")
	v := &identity.Visitors{Keys: keys, Allowed: identity.EveryProject}
	// A valid cookie, made with the key and not by Visitors.
	good := keys.Sign("visitor", "abcdefghijklmnop."+strconv.FormatInt(time.Now().Unix(), 36))
	for _, seed := range []string{
		"writer_presence_visitor=" + good, "__Host-writer_presence_visitor=" + good, "a=b; writer_presence_visitor=" + good + ";", "writer_presence_visitor", "writer_presence_visitor=",
		";;;", "=", "writer_presence_visitor=" + good + "; __Host-writer_presence_visitor=x", "writer_presence_visitor = " + good, "Writer_Presence_Visitor=" + good, "x=writer_presence_visitor=" + good,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cookie string) {
		r := request("Cookie", cookie)
		r.ReadOnly = true
		got, err := v.Authenticate(t.Context(), r)
		switch {
		case err != nil:
			if !errors.Is(err, identity.ErrCookieInvalid) || got.Cookie == nil || got.Cookie.MaxAge >= 0 || got.User.ID != "" {
				t.Errorf("Cookie: %q: got %+v, %v, want ErrCookieInvalid, no user and a cookie that clears it", cookie, got, err)
			}
		case got.User.ID != "" && !strings.Contains(cookie, good):
			t.Errorf("Cookie: %q: got %+v, want none, since nobody signed that", cookie, got.User)
		case got.User.ID != "" && got.User.ID != presence.VisitorPrefix+"abcdefghijklmnop":
			t.Errorf("Cookie: %q: got %+v, want the signed visitor", cookie, got.User)
		}
	})
}

// visit authenticates a new visitor of one address in a project.
func visit(t *testing.T, v *identity.Visitors, project presence.Project) error {
	t.Helper()
	_, err := v.Authenticate(t.Context(), identity.Request{Project: project, Address: "192.0.2.1"})
	return err
}

// A program that does not set Allowed lets no visitors in.
func TestVisitorsNeedAllowed(t *testing.T) { // rule 15
	keys := newKeys(t, "k")
	open := &identity.Visitors{Keys: keys, Allowed: identity.EveryProject}
	made, err := open.Authenticate(t.Context(), identity.Request{Project: "p"})
	if err != nil {
		t.Fatal(err)
	}
	closed := &identity.Visitors{Keys: keys}
	for name, r := range map[string]identity.Request{
		"newcomer":          {Project: "p"},
		"reader of a list":  {Project: "p", ReadOnly: true},
		"known visitor":     {Project: "p", Header: map[string][]string{"Cookie": {made.Cookie.Name + "=" + made.Cookie.Value}}},
		"recheck of a live": {Project: "p", Recheck: true, ReadOnly: true},
	} {
		if a, err := closed.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrNobody) || a.User.ID != "" || a.Cookie != nil {
			t.Errorf("%s: got %+v, %v, want ErrNobody", name, a, err)
		}
	}
}

func TestNewVisitorsAreLimitedByDefault(t *testing.T) {
	for name, c := range map[string]struct {
		rate    identity.Rate
		limited bool
	}{
		"the default":     {identity.Rate{}, true},
		"explicitly none": {identity.NoLimit, false},
		"a tight limit":   {identity.Rate{PerSecond: 0.1, Burst: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := &identity.Visitors{Keys: newKeys(t, "k"), Allowed: identity.EveryProject, Rate: c.rate}
			let := 0
			for let < 1000 && visit(t, v, presence.Project(fmt.Sprint("p", let))) == nil {
				let++
			}
			if limited := let < 1000; limited != c.limited || limited && name == "the default" && let < 200 {
				t.Errorf("got %d of 1000 new visitors of one address accepted, want limited: %v, after 200 by default", let, c.limited)
			}
		})
	}
}
