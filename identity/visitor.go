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
	"time"

	presence "writer-presence"
	"writer-presence/limit"
)

const (
	// ownCookies begins the names of this server's cookies.
	ownCookies    = "writer_presence_"
	visitorCookie = ownCookies + "visitor"
	// hostCookie is the same, bound by browsers to this host and to https.
	hostCookie = "__Host-" + visitorCookie
	// visitorAge is how long a visitor stays the same one; browsers keep no cookie
	// longer than 400 days.
	visitorAge = 365 * 24 * time.Hour
)

// Visitors lets in people for whom no host vouches, each known again by a signed
// cookie. It has to be the last of the gates.
type Visitors struct {
	Keys *Keys
	// Allowed tells in which projects; nil is in all.
	Allowed func(presence.Project) bool
	// Limit bounds the new visitors of an address; nil does not.
	Limit *limit.Limiter

	cookies remembered[visit]
}

// visit is what a cookie says.
type visit struct {
	user presence.User
	made time.Time
}

// Admit implements [Gate]. Whoever only looks becomes no visitor.
func (v *Visitors) Admit(_ context.Context, r Request) (Admission, error) {
	if v.Allowed != nil && !v.Allowed(r.Project) {
		return Admission{}, ErrNobody
	}
	bad := ""
	for _, name := range []string{hostCookie, visitorCookie} {
		if name == visitorCookie && r.Secure {
			break // a neighbour of this host could have set it
		}
		for value := range cookies(r.Header, name) {
			if visit, ok := v.cookies.get(value, v.visit); ok && time.Since(visit.made) <= visitorAge {
				return Admission{User: visit.user}, nil
			}
			bad = name
		}
	}
	if bad != "" {
		return Admission{Cookie: newCookie(bad, "", -1)}, ErrCookieInvalid
	}
	if r.Looking {
		return Admission{}, nil
	}
	if r.CrossOrigin {
		return Admission{}, ErrNobody
	}
	if v.Limit != nil {
		if err := v.Limit.Take(r.Address, ErrTooManyVisitors); err != nil {
			return Admission{}, err
		}
	}
	random := make([]byte, 12)
	rand.Read(random)
	id := base64.RawURLEncoding.EncodeToString(random)
	signed := v.Keys.Sign("visitor", id+"."+strconv.FormatInt(time.Now().Unix(), 36))
	name := visitorCookie
	if r.Secure {
		name = hostCookie
	}
	return Admission{User: visitor(id), Cookie: newCookie(name, signed, int(visitorAge/time.Second))}, nil
}

// visit reads a cookie that is ours.
func (v *Visitors) visit(value string) (visit, bool) {
	text, ok := v.Keys.Verify("visitor", value)
	id, made, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(made, 36, 64)
	return visit{visitor(id), time.Unix(seconds, 0)}, ok && err == nil
}

// visitor is a user of a kind that no host can make. The number in the name is for
// people to tell visitors apart, most of the time.
func visitor(id string) presence.User {
	h := fnv.New32a()
	h.Write([]byte(id))
	return presence.User{
		ID:      presence.UserID(presence.VisitorPrefix + id),
		Name:    "Visitor " + strconv.Itoa(1000+int(h.Sum32()%9000)),
		Visitor: true,
	}
}

// cookies gives the values of a request's cookies of a name; there may be several.
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

func newCookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age,
		Secure: name == hostCookie, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
