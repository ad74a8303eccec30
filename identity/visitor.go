package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"hash/fnv"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/ratelimit"
)

const (
	// ownCookies is the prefix of the names of this server's cookies.
	ownCookies    = "writer_presence_"
	visitorCookie = ownCookies + "visitor"
	// hostCookie is the cookie on https; browsers bind it to this host.
	hostCookie = "__Host-" + visitorCookie
	// visitorAge is the lifetime of a visitor; browsers keep a cookie for at most 400 days.
	visitorAge = 365 * 24 * time.Hour
)

// DefaultVisitorRate is the default limit on new visitors from one address.
var DefaultVisitorRate = Rate{PerSecond: 1, Burst: 200}

// Visitors authenticates people who have not signed in, each by a signed cookie. It must be the last authenticator of [FirstOf].
//
// It rejects everybody unless Allowed is set: beside another authenticator it opens projects to people whom that one does
// not know, so the projects have to be named. Authenticate is safe for concurrent use.
type Visitors struct {
	Keys *Keys // needed
	// Allowed reports whether a project is open to visitors. Nil opens none; [EveryProject] opens all.
	Allowed func(presence.Project) bool
	// Rate bounds the new visitors of one address. The zero Rate is DefaultVisitorRate.
	Rate Rate
	// Embedding offers cookies that browsers also keep for pages in iframes of other sites, over https:
	// SameSite=None and Partitioned, which is one cookie for each top-level site. Otherwise such a page is
	// a new visitor with each request. Set it only where the origin of each request is checked, as package
	// httpapi does: browsers send these cookies with requests of other sites too.
	Embedding bool

	once      sync.Once
	newcomers *ratelimit.Limiter // of Rate
	cookies   remembered[visit]
}

// EveryProject is a [Visitors.Allowed] that opens every project to visitors.
func EveryProject(presence.Project) bool { return true }

// visit is the content of a visitor cookie.
type visit struct {
	user presence.User
	made time.Time
}

// Authenticate implements [Authenticator]. It creates no visitor for a request that only reads.
func (v *Visitors) Authenticate(_ context.Context, r Request) (Principal, error) {
	if v.Allowed == nil || !v.Allowed(r.Project) {
		return Principal{}, ErrNobody
	}
	if v.Keys.isEmpty() {
		return Principal{}, errNoKeys
	}
	bad := ""
	for _, name := range []string{hostCookie, visitorCookie} {
		if name == visitorCookie && r.Secure {
			break // another host of the same domain may have set this cookie
		}
		for value := range cookies(r.Header, name) {
			if visit, ok := v.cookies.get(value, v.visit); ok && time.Since(visit.made) <= visitorAge {
				return Principal{User: visit.user}, nil
			}
			bad = name
		}
	}
	if bad != "" {
		return Principal{Cookie: v.newCookie(bad, "", -1)}, ErrCookieInvalid
	}
	if r.ReadOnly {
		return Principal{}, nil
	}
	if r.CrossOrigin {
		return Principal{}, ErrNobody
	}
	if err := v.limiter().Take(r.Address, ErrTooManyVisitors); err != nil {
		return Principal{}, err
	}
	random := make([]byte, 12)
	rand.Read(random)
	id := base64.RawURLEncoding.EncodeToString(random)
	signed := v.Keys.Sign("visitor", id+"."+strconv.FormatInt(time.Now().Unix(), 36))
	name := visitorCookie
	if r.Secure {
		name = hostCookie
	}
	return Principal{User: visitor(id), Cookie: v.newCookie(name, signed, int(visitorAge/time.Second))}, nil
}

// limiter returns the limiter of Rate.
func (v *Visitors) limiter() *ratelimit.Limiter {
	v.once.Do(func() { v.newcomers = v.Rate.limiter(DefaultVisitorRate) })
	return v.newcomers
}

// visit decodes a visitor cookie, and returns false if its signature is invalid.
func (v *Visitors) visit(value string) (visit, bool) {
	text, ok := v.Keys.Verify("visitor", value)
	id, made, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(made, 36, 64)
	return visit{visitor(id), time.Unix(seconds, 0)}, ok && err == nil
}

// visitor returns the user for a visitor's id; no host can make such a user. The number in the name
// tells visitors apart, though two may share one.
func visitor(id string) presence.User {
	h := fnv.New32a()
	h.Write([]byte(id))
	return presence.User{
		ID:      presence.UserID(presence.VisitorPrefix + id),
		Name:    "Visitor " + strconv.Itoa(1000+int(h.Sum32()%9000)),
		Visitor: true,
	}
}

// cookies iterates over the values of all cookies with a name.
func cookies(h http.Header, name string) iter.Seq[string] {
	return func(yield func(value string) bool) {
		for _, line := range h["Cookie"] {
			for part := range strings.SplitSeq(line, ";") {
				if n, value, _ := strings.Cut(strings.TrimSpace(part), "="); n == name && !yield(value) {
					return
				}
			}
		}
	}
}

func (v *Visitors) newCookie(name, value string, age int) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age,
		Secure: name == hostCookie, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if v.Embedding && c.Secure {
		c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
	}
	return c
}
