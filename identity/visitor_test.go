package identity_test

import (
	"errors"
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

func TestVisitorsAreLetInWhereTheyAreAllowed(t *testing.T) {
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
			t.Errorf("%+v came to %v", c, err)
		}
		if known := err == nil && (c.cookie || !c.looking); (got.User.ID != "") != known {
			t.Errorf("%+v is user %q; due is one: %v", c, got.User.ID, known)
		}
		if made := err == nil && !c.cookie && !c.looking; (got.Cookie != nil) != made {
			t.Errorf("%+v got the cookie %v; due is one: %v", c, got.Cookie, made)
		}
		if got.Cookie != nil {
			cookie = "other=1; " + got.Cookie.Name + "=" + got.Cookie.Value
		}
	}
}

func TestTheNamesOfVisitorsAreBounded(t *testing.T) { // case 16
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
			t.Fatalf("the visitor is %+v; due is a new one, called Visitor and four digits", u)
		}
		if cleaned, err := presence.NewUser(u.ID, u.Name, true); err != nil || cleaned != u {
			t.Fatalf("the visitor %+v would be %+v, %v", u, cleaned, err)
		}
		ids[u.ID] = true
	}
}

func TestAVisitorsCookieIsGoodForAYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &identity.Visitors{Keys: newKeys(t, "k"), Allowed: identity.EveryProject}
		made, err := v.Authenticate(t.Context(), request())
		if err != nil {
			t.Fatal(err)
		}
		with := request("Cookie", made.Cookie.Name+"="+made.Cookie.Value)
		time.Sleep(time.Duration(made.Cookie.MaxAge) * time.Second)
		if got, err := v.Authenticate(t.Context(), with); err != nil || got.User != made.User {
			t.Errorf("at a year the visitor is %+v, %v; due is %+v", got.User, err, made.User)
		}
		time.Sleep(time.Second)
		if got, err := v.Authenticate(t.Context(), with); !errors.Is(err, identity.ErrCookieInvalid) || got.Cookie == nil || got.Cookie.MaxAge >= 0 {
			t.Errorf("after a year came %+v, %v; due is that the cookie is invalid, and cleared", got, err)
		}
	})
}

func TestWhoIsKnownIsNotCountedAsANewVisitor(t *testing.T) {
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
				t.Errorf("%s: refused with %v", name, err)
			}
		}
		_, err = v.Authenticate(t.Context(), request())
		var tooMany *ratelimit.Exceeded
		if !errors.Is(err, identity.ErrTooManyVisitors) || !errors.As(err, &tooMany) || tooMany.After != time.Second {
			t.Errorf("the second visitor of an address came to %v (%+v); due is too many, and to wait 1 s", err, tooMany)
		}
	})
}

func FuzzACookieIsAVisitorOfOursOrRefused(f *testing.F) {
	keys := newKeys(f, "k")
	v := &identity.Visitors{Keys: keys, Allowed: identity.EveryProject}
	// Its own text of a visitor of the epoch's last year.
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
				t.Errorf("Cookie: %q came to %+v, %v; due is an invalid cookie, cleared, and nobody", cookie, got, err)
			}
		case got.User.ID != "" && !strings.Contains(cookie, good):
			t.Errorf("Cookie: %q is %+v, and nobody signed that", cookie, got.User)
		case got.User.ID != "" && got.User.ID != presence.VisitorPrefix+"abcdefghijklmnop":
			t.Errorf("Cookie: %q is %+v", cookie, got.User)
		}
	})
}
