package identity

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/strictjson"
)

// rawClaims keeps the payload of a token undecoded until its signature was verified, so that nobody
// without a key can choose the reason that is logged.
type rawClaims struct {
	jwt.MapClaims // implements jwt.Claims, and stays empty
	text          []byte
}

// UnmarshalJSON keeps a copy of the text.
func (c *rawClaims) UnmarshalJSON(text []byte) error {
	c.text = append(c.text[:0], text...)
	return nil
}

// claims is the payload of a token whose signature is valid.
type claims map[string]json.RawMessage

// get returns the claim with a path, nil if there is none or it is null. A claim with
// exactly this name wins over a dotted path into objects, and of several ways to split a
// path the one with the longest first name wins.
func (c claims) get(path string) json.RawMessage {
	if value := c[path]; !strictjson.IsNull(value) {
		return value
	}
	for dot := strings.LastIndexByte(path, '.'); dot > 0; dot = strings.LastIndexByte(path[:dot], '.') {
		inner, err := strictjson.Object(c[path[:dot]])
		if err != nil {
			continue
		}
		if value := claims(inner).get(path[dot+1:]); value != nil {
			return value
		}
	}
	return nil
}

// text returns a claim that has to be a string; "" for none.
func (c claims) text(path string) (text string, ok bool) {
	value := c.get(path)
	if value == nil {
		return "", true
	}
	return text, json.Unmarshal(value, &text) == nil
}

// maxTime is the first second of the year 10000, in seconds since 1970.
const maxTime = 253402300800

// time returns a NumericDate (RFC 7519, 2), zero for none. Only whole numbers and plain
// fractions of the years 1970 to 9999 are accepted: others would overflow and give wrong times.
func (c claims) time(name string) (t time.Time, ok bool) {
	value := c[name]
	if strictjson.IsNull(value) {
		return t, true
	}
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || len(value) > 32 || value[0] == '-' || value[0] == '"' || !(seconds >= 0 && seconds < maxTime) {
		return t, false
	}
	return time.Unix(int64(seconds), 0), true
}

// audience returns aud, a string or a list of strings.
func (c claims) audience() (all []string, ok bool) {
	value := c["aud"]
	if strictjson.IsNull(value) {
		return nil, true
	}
	var one string
	if json.Unmarshal(value, &one) == nil {
		return []string{one}, true
	}
	return texts(value)
}

// texts reads a list of strings. encoding/json would read null in a list as "".
func texts(value json.RawMessage) (all []string, ok bool) {
	var some []*string
	if json.Unmarshal(value, &some) != nil {
		return nil, false
	}
	for _, text := range some {
		if text == nil {
			return nil, false
		}
		all = append(all, *text)
	}
	return all, true
}

// bearer validates the claims and returns their content. The error has a reason.
func (j *JWT) bearer(text []byte, now time.Time) (b bearer, err error) {
	object, err := strictjson.Object(text)
	if err != nil {
		return b, reject(Malformed)
	}
	c := claims(object)
	from, fromOK := c.time("nbf")
	until, untilOK := c.time("exp")
	_, issuedOK := c.time("iat")
	switch {
	case !fromOK || !untilOK || !issuedOK:
		return b, reject(BadTime)
	case until.IsZero():
		return b, reject(NoExpiry)
	}
	b.until, b.checked = until.Add(leeway), now
	if !from.IsZero() {
		b.from = from.Add(-leeway)
	}
	if err := b.current(now); err != nil {
		return b, err
	}
	if issuer, ok := c.text("iss"); !ok || j.Issuer != "" && issuer != j.Issuer {
		return b, reject(WrongIssuer)
	}
	audience, ok := c.audience()
	if !ok || j.Audience == "" && len(audience) > 0 || j.Audience != "" && !slices.Contains(audience, j.Audience) {
		return b, reject(WrongAudience)
	}
	name, ok := j.name(c)
	if !ok {
		return b, reject(BadName)
	}
	subject := c["sub"]
	if strictjson.IsNull(subject) || string(subject) == `""` {
		return b, reject(NoSubject)
	}
	var id string
	if json.Unmarshal(subject, &id) != nil {
		return b, reject(BadSubject)
	}
	if b.user, err = NewUser(presence.UserID(id), name); err != nil {
		return b, reject(BadSubject)
	}
	picture, _ := c.text("picture") // what is no picture is left out: it must not lock out its user
	b.user.AvatarURL, b.user.Agent = presence.AvatarURL(picture), string(c["agent"]) == "true"
	b.projects, b.noProjects, err = j.projects(c)
	return b, err
}

// current returns an error if a token is not valid yet, or expired.
func (b bearer) current(now time.Time) error {
	switch {
	case now.Before(b.from):
		return reject(NotYetValid)
	case !now.Before(b.until):
		return reject(Expired)
	}
	return nil
}

// name returns the user name in a token; "" for none. It returns false if the claim is not a string.
func (j *JWT) name(c claims) (string, bool) {
	if j.NameClaim != "" {
		return c.text(j.NameClaim)
	}
	for _, claim := range []string{"username", "preferred_username", "name"} {
		if name, ok := c.text(claim); !ok || name != "" {
			return name, ok
		}
	}
	return "", true
}

// projects returns the projects in a token; missing reports that it has no projects claim.
func (j *JWT) projects(c claims) (projects []string, missing bool, err error) {
	claim := j.ProjectsClaim
	if claim == "" {
		claim = "projects"
	}
	value := c.get(claim)
	if value == nil {
		return nil, true, nil
	}
	var all string
	if json.Unmarshal(value, &all) == nil && all == "*" {
		return []string{"*"}, false, nil
	}
	projects, ok := texts(value)
	if !ok || slices.Contains(projects, "*") {
		return nil, false, reject(BadProjects)
	}
	return projects, false, nil
}
