// Package client calls the host API of a presence server: who is in which project, saves and moves of sections, users to
// list or to remove, and events as they happen.
//
//	presence, err := client.New("http://127.0.0.1:9090", key)
//	// …
//	places, err := presence.User(ctx, "7")           // where is user 7?
//	err = presence.RemoveUser(ctx, "thesis", "7", 0) // make her leave
//
// docs/how-to/host-api.md describes the API. Every call can be repeated safely, except a move of a section to a path
// below itself.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// timeout bounds a call whose context has no deadline. The server answers within five seconds.
	timeout = 10 * time.Second
	// maxAnswer bounds the memory for an answer, in bytes. A project with 100,000 sessions has less.
	maxAnswer = 64 << 20
)

// Client calls the API with a key. Create a Client with [New]. It is safe for concurrent use, unless its fields are
// changed.
type Client struct {
	// HTTP sends the requests; nil for http.DefaultClient. For a server whose --admin-addr is a Unix socket, give one
	// whose transport connects to it; the address of New is then http://localhost.
	HTTP *http.Client
	// Tenant is the host whose projects and users are meant, on a server with --tenant-from. Projects are then named
	// without it. Empty on any other server.
	Tenant string

	base, key string
}

// New returns a client for the server whose --admin-addr is at an address such as http://127.0.0.1:9090, with a key: a
// line of its --api-key-file, without the line break.
func New(address, key string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("the address %q cannot be that of the host API: give the server's --admin-addr, such as http://127.0.0.1:9090", shown(address))
	}
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the key of the host API is empty, or has a space, a line break or a character outside of ASCII: give one line of the server's --api-key-file, without the line break")
	}
	return &Client{base: u.Scheme + "://" + u.Host + "/api/v1/", key: key}, nil
}

// shown returns an address without user and password.
func shown(address string) string {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return "…" + address[at:]
	}
	return address
}

// Error is an answer of the server that is no success.
type Error struct {
	Status int
	// Code is one of docs/reference/errors.md, such as unavailable; empty if the answer is not of a presence server.
	Code string
	// Message is a sentence that says what to do.
	Message string
	// RetryAfter is when to try again; 0 if that would not help.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	return fmt.Sprintf("the host API answered %s: %s", strings.TrimSpace(fmt.Sprint(e.Status, " ", e.Code)), e.Message)
}

// Status returns the state of the node that answers.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.call(ctx, http.MethodGet, "status", nil, nil, &s)
	return s, err
}

// Projects returns the active projects whose ids begin with a prefix; "" for all. It asks for them a page at a time, so a
// project that becomes active meanwhile may be missing or come twice. After an error it ends.
func (c *Client) Projects(ctx context.Context, prefix string) iter.Seq2[Project, error] {
	return func(yield func(Project, error) bool) {
		query := url.Values{"prefix": {c.withTenant(prefix)}}
		for more := true; more; {
			var page struct {
				Projects []Project `json:"projects"`
				Next     string    `json:"next"`
			}
			if err := c.call(ctx, http.MethodGet, "projects", query, nil, &page); err != nil {
				yield(Project{}, err)
				return
			}
			for _, p := range page.Projects {
				p.Project = c.withoutTenant(p.Project)
				if !yield(p, nil) {
					return
				}
			}
			query.Set("cursor", page.Next)
			more = page.Next != ""
		}
	}
}

// Project returns who is in a project.
func (c *Client) Project(ctx context.Context, project string) (s Snapshot, err error) {
	s = Snapshot{Users: []User{}, Sessions: []Session{}, Saved: []Saved{}}
	err = c.call(ctx, http.MethodGet, c.path(project), nil, nil, &s)
	return s, err
}

// User returns the projects that a user is in.
func (c *Client) User(ctx context.Context, id UserID) (places []Place, err error) {
	query := c.tenantQuery()
	for more := true; more; {
		var page struct {
			Projects []Place `json:"projects"`
			Next     string  `json:"next"`
		}
		if err := c.call(ctx, http.MethodGet, "users/"+escape(string(id)), query, nil, &page); err != nil {
			return nil, err
		}
		for _, p := range page.Projects {
			p.Project = c.withoutTenant(p.Project)
			places = append(places, p)
		}
		query.Set("cursor", page.Next)
		more = page.Next != ""
	}
	return places, nil
}

// Save is a save that the host reports: of which section, which revision, by whom.
type Save struct {
	Section  string `json:"section"`
	Revision string `json:"revision"`
	User     UserID `json:"user_id"`
	Name     string `json:"username,omitempty"`
}

// Save reports a save in a project. Its user need not be online.
func (c *Client) Save(ctx context.Context, project string, s Save) error {
	return c.call(ctx, http.MethodPost, c.path(project, "saves"), nil, s, nil)
}

// MoveSection moves a section and all below it to another path. The pages of the people in it follow.
func (c *Client) MoveSection(ctx context.Context, project, from, to string) error {
	return c.call(ctx, http.MethodPost, c.path(project, "sections", "move"), nil, map[string]string{"from": from, "to": to}, nil)
}

// Listed is a user or an agent whom the host lists.
type Listed struct {
	Name       string `json:"username,omitempty"`
	AvatarURL  string `json:"avatar_url,omitempty"`
	Agent      bool   `json:"agent,omitempty"`
	Section    string `json:"section,omitempty"`
	Activity   string `json:"activity,omitempty"` // editing, viewing or idle; empty for editing in a section
	Unsaved    bool   `json:"unsaved,omitempty"`
	WaitingFor string `json:"waiting_for,omitempty"`
	// Seconds is for how long the user is listed, at most the lease; 0 for the lease.
	Seconds int `json:"ttl,omitempty"`
}

// ListUser lists a user in a project for a time; repeating it renews that. It returns the others who claim the section.
func (c *Client) ListUser(ctx context.Context, project string, id UserID, l Listed) (conflicts []User, err error) {
	var answer struct {
		Conflicts []User `json:"conflicts"`
	}
	err = c.call(ctx, http.MethodPut, c.path(project, "users", string(id)), nil, l, &answer)
	return answer.Conflicts, err
}

// RemoveUser ends all sessions and live connections of a user in a project. The user may come back after the given time,
// of at most a day, which is rounded up to seconds; with 0, at once.
func (c *Client) RemoveUser(ctx context.Context, project string, id UserID, until time.Duration) error {
	return c.call(ctx, http.MethodDelete, c.path(project, "users", string(id)), forQuery(url.Values{}, until), nil, nil)
}

// RemoveAll ends all sessions and live connections in a project, and drops its saves; see RemoveUser.
func (c *Client) RemoveAll(ctx context.Context, project string, until time.Duration) error {
	return c.call(ctx, http.MethodDelete, c.path(project), forQuery(url.Values{}, until), nil, nil)
}

// RemoveUserEverywhere ends all sessions and live connections of a user in all projects, as after a sign-out; see
// RemoveUser. It returns from how many projects the user was removed.
func (c *Client) RemoveUserEverywhere(ctx context.Context, id UserID, until time.Duration) (projects int, err error) {
	query := forQuery(c.tenantQuery(), until)
	for more := true; more; {
		var page struct {
			Projects int    `json:"projects"`
			Next     string `json:"next"`
		}
		if err := c.call(ctx, http.MethodDelete, "users/"+escape(string(id)), query, nil, &page); err != nil {
			return projects, err
		}
		projects += page.Projects
		query.Set("cursor", page.Next)
		more = page.Next != ""
	}
	return projects, nil
}

// call sends a request and decodes the answer, unless answer is nil. The error is an *[Error], or one of the transport.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, sent)
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := c.send(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer of the host API broke off: %w", err)
	}
	var outcome struct{ Success bool }
	if json.Unmarshal(text, &outcome) != nil || !outcome.Success {
		return failure(response, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return failure(response, text)
	}
	return nil
}

// send sends a request with the key. If the answer is no success, it returns an *[Error].
func (c *Client) send(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+c.key)
	sender := *cmp.Or(c.HTTP, http.DefaultClient)
	sender.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // it would get the key
	response, err := sender.Do(r)
	if err != nil || response.StatusCode == http.StatusOK {
		return response, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return nil, failure(response, text)
}

// failure returns the error of an answer that is no success, or that no presence server gives.
func failure(response *http.Response, text []byte) *Error {
	var body struct{ Code, Error string }
	if json.Unmarshal(text, &body) != nil || body.Error == "" {
		body.Error = "this is no answer of a presence server; check the address"
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return &Error{Status: response.StatusCode, Code: body.Code, Message: body.Error, RetryAfter: time.Duration(seconds) * time.Second}
}

// path returns the path of a project, or of what is below it.
func (c *Client) path(project string, below ...string) string {
	path := "projects/" + escape(c.withTenant(project))
	for _, part := range below {
		path += "/" + escape(part)
	}
	return path
}

// escape encodes an id as a segment of a path. It encodes dots, too, since "." and ".." would be resolved.
func escape(id string) string { return strings.ReplaceAll(url.PathEscape(id), ".", "%2E") }

func (c *Client) withTenant(project string) string {
	if c.Tenant == "" {
		return project
	}
	return c.Tenant + "/" + project
}

func (c *Client) withoutTenant(project string) string {
	return strings.TrimPrefix(project, c.withTenant(""))
}

func (c *Client) tenantQuery() url.Values {
	if c.Tenant == "" {
		return url.Values{}
	}
	return url.Values{"tenant": {c.Tenant}}
}

func forQuery(query url.Values, until time.Duration) url.Values {
	if seconds := int64((until + time.Second - 1) / time.Second); seconds > 0 {
		query.Set("for", strconv.FormatInt(seconds, 10))
	}
	return query
}
