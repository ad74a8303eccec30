package servertest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// Client is a caller with a token, with a cookie jar of one cookie, or with neither.
type Client struct {
	Server  *Server
	Address string
	Token   string
	Cookie  string
	// SetCookie is the cookie that the last response set or cleared, nil if it did neither.
	SetCookie *http.Cookie
}

// As returns a client with a dev token.
func (s *Server) As(name string, id presence.UserID) *Client {
	s.T.Helper()
	token, _, err := (&identity.Dev{Keys: s.Keys}).Token(id, name)
	if err != nil {
		s.T.Fatal(err)
	}
	return &Client{Server: s, Address: "127.0.0.1", Token: token}
}

// Anonymous returns a client without credentials.
func (s *Server) Anonymous() *Client { return &Client{Server: s, Address: "127.0.0.1"} }

// Do sends a request with the credentials of the client, and keeps the cookie that the response sets.
func (c *Client) Do(method, path, body string, headers ...string) Response {
	c.Server.T.Helper()
	if c.Token != "" {
		headers = append(headers, "Authorization", "Bearer "+c.Token)
	}
	if c.Cookie != "" {
		headers = append(headers, "Cookie", c.Cookie)
	}
	if method == http.MethodPost {
		headers = append(headers, "Content-Type", "application/json")
	}
	a := c.Server.DoFrom(c.Address, method, path, strings.NewReader(body), headers...)
	c.SetCookie = nil
	for _, line := range a.Header["Set-Cookie"] {
		cookie, err := http.ParseSetCookie(line)
		if err != nil {
			c.Server.T.Fatalf("cannot parse Set-Cookie: %q: %v", line, err)
		}
		c.SetCookie = cookie
		if c.Cookie = cookie.Name + "=" + cookie.Value; cookie.MaxAge < 0 {
			c.Cookie = ""
		}
	}
	return a
}

// DoIn sends an operation (list, update or leave) to a project.
func (c *Client) DoIn(project, what, body string, headers ...string) Response {
	c.Server.T.Helper()
	method := http.MethodPost
	if what == "list" {
		method = http.MethodGet
	}
	return c.Do(method, httpapi.DefaultPrefix+"/project/"+project+"/presence/"+what+"/", body, headers...)
}

// Post sends an update or a leave to project p.
func (c *Client) Post(what, body string, headers ...string) Response {
	c.Server.T.Helper()
	return c.Do(http.MethodPost, httpapi.DefaultPrefix+ProjectPath+what+"/", body, headers...)
}

// GetList requests the list of project p.
func (c *Client) GetList(headers ...string) Response {
	c.Server.T.Helper()
	return c.Do(http.MethodGet, httpapi.DefaultPrefix+ProjectPath+"list/", "", headers...)
}

// Update sends an update, which must succeed.
func (c *Client) Update(body string, headers ...string) Reply {
	c.Server.T.Helper()
	return c.ExpectSuccess(c.Post("update", body, headers...))
}

// Leave sends a leave, which must succeed.
func (c *Client) Leave(body string) Reply {
	c.Server.T.Helper()
	return c.ExpectSuccess(c.Post("leave", body))
}

// List requests the list, which must succeed.
func (c *Client) List() Reply {
	c.Server.T.Helper()
	return c.ExpectSuccess(c.GetList())
}

// ExpectSuccess decodes a response, which must be a success.
func (c *Client) ExpectSuccess(a Response) Reply {
	c.Server.T.Helper()
	var r Reply
	if err := json.Unmarshal([]byte(a.Body), &r); err != nil || a.Status != 200 || !r.Success {
		c.Server.T.Fatalf("got %d %s\nwant success", a.Status, a.Body)
	}
	return r
}

// DevToken is a dev token with its user.
type DevToken struct {
	Token string
	User  User
}

// NewDevToken requests a dev token, which must succeed.
func (s *Server) NewDevToken(body string) DevToken {
	s.T.Helper()
	got := s.Anonymous().Do("POST", DevTokenPath, body)
	var a DevToken
	if err := json.Unmarshal([]byte(got.Body), &a); err != nil || got.Status != 200 || a.Token == "" {
		s.T.Fatalf("%s: got %d %s\nwant a token", body, got.Status, got.Body)
	}
	return a
}

// User is an occupant in a response.
type User struct {
	ID       any `json:"user_id"`
	Username string
	Section  string
	Sections []string
	Activity string
	LastSeen time.Time `json:"last_seen"`
	Color    string    `json:"avatar_color"`
	Initials string
	Visitor  bool

	AvatarURL  string `json:"avatar_url"`
	Agent      bool
	Editing    []string
	Unsaved    []string
	WaitingFor string `json:"waiting_for"`
}

// Save is a save in a response.
type Save struct {
	Section, Revision string
	UserID            any `json:"user_id"`
	Username          string
	SavedAt           time.Time `json:"saved_at"`
}

// Move is a move of a section.
type Move struct {
	From, To string
	Version  uint64
}

// Reply is the body of a successful response.
type Reply struct {
	Success   bool
	Version   uint64
	Activity  string
	You       User
	Conflicts []User
	Users     *[]User
	Count     int
	Saved     []Save
	Moved     []Move
	Stale     bool
	Durable   *bool
	Partial   *bool
	Heartbeat float64
}

// Saves returns each save, in the order of the list, as "section@revision by username", separated by commas.
func Saves(saves []Save) string {
	var all []string
	for _, s := range saves {
		all = append(all, s.Section+"@"+s.Revision+" by "+s.Username)
	}
	return strings.Join(all, ", ")
}

// Names returns the usernames in the order of the list, separated by spaces.
func Names(users []User) string {
	var all []string
	for _, u := range users {
		all = append(all, u.Username)
	}
	return strings.Join(all, " ")
}
