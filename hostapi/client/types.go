package client

import (
	"encoding/json"
	"time"
)

// UserID is the id of a user. The server sends it as a number or as text.
type UserID string

// UnmarshalJSON decodes a number or a string.
func (id *UserID) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(id))
	}
	var n json.Number
	err := json.Unmarshal(text, &n)
	*id = UserID(n)
	return err
}

// User is somebody as others see them.
type User struct {
	ID         UserID    `json:"user_id"`
	Name       string    `json:"username"`
	Section    string    `json:"section"`
	Sections   []string  `json:"sections"`
	Activity   string    `json:"activity"`
	Unsaved    []string  `json:"unsaved"`
	WaitingFor string    `json:"waiting_for"`
	LastSeen   time.Time `json:"last_seen"`
	AvatarURL  string    `json:"avatar_url"`
	Agent      bool      `json:"agent"`
	Visitor    bool      `json:"visitor"`
}

// UnmarshalJSON decodes a user of the host API. Lists that it leaves out are empty and not nil, so that they are lists in
// JSON, too.
func (u *User) UnmarshalJSON(text []byte) error {
	type plain User
	u.Sections, u.Unsaved = []string{}, []string{}
	return json.Unmarshal(text, (*plain)(u))
}

// Session is one page load of a user, or what the host listed.
type Session struct {
	// Session distinguishes the sessions of a user.
	Session    string    `json:"session"`
	User       UserID    `json:"user_id"`
	Section    string    `json:"section"`
	Activity   string    `json:"activity"`
	Unsaved    bool      `json:"unsaved"`
	WaitingFor string    `json:"waiting_for"`
	LastSeen   time.Time `json:"last_seen"`
}

// Saved is the newest save of a section.
type Saved struct {
	Section  string    `json:"section"`
	Revision string    `json:"revision"`
	User     UserID    `json:"user_id"`
	Name     string    `json:"username"`
	At       time.Time `json:"saved_at"`
}

// Snapshot is all that is visible in a project, with its sessions.
type Snapshot struct {
	Version uint64 `json:"version"`
	// Users are at most 1,000, ordered by name. Sessions are all.
	Users    []User    `json:"users"`
	Sessions []Session `json:"sessions"`
	Saved    []Saved   `json:"saved"`
	// Partial says that the server lost data a short time ago, so that users may be missing.
	Partial bool `json:"partial"`
}

// Project is an active project.
type Project struct {
	Project string `json:"project"`
	People  int    `json:"people"`
	Agents  int    `json:"agents"`
	Version uint64 `json:"version"`
	Partial bool   `json:"partial"`
}

// Place is a project that a user is in.
type Place struct {
	Project string `json:"project"`
	User    User   `json:"user"`
	Version uint64 `json:"version"`
	Partial bool   `json:"partial"`
}

// Status is the state of the node that answered, and its history.
type Status struct {
	// Version is that of the program.
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	// Draining says that the node is shutting down.
	Draining bool `json:"draining"`
	// Store says whether the store can list users, and in Message why not, or what does not work otherwise.
	Store struct {
		Ready   bool   `json:"ready"`
		Message string `json:"message"`
	} `json:"store"`
	// People, Projects and Connections are what this node holds now. On several nodes a user can count on each.
	People      int     `json:"people"`
	Projects    int     `json:"projects"`
	Connections int     `json:"connections"`
	History     History `json:"history"`
}

// History has the samples of the last hour, oldest first. All lists have the same length. Rates are averages per second
// since the sample before.
type History struct {
	// Seconds is the time between two samples.
	Seconds     int       `json:"seconds"`
	People      []float64 `json:"people"`
	Projects    []float64 `json:"projects"`
	Connections []float64 `json:"connections"`
	// Requests is the rate of requests of pages, and Messages that of messages received on live connections.
	Requests []float64 `json:"requests"`
	Messages []float64 `json:"messages"`
	// Deltas is the rate of deltas sent on live connections.
	Deltas []float64 `json:"deltas"`
	// Failures is the rate of requests and messages that were answered with an error, and StoreErrors that of calls of
	// the store that failed.
	Failures    []float64 `json:"failures"`
	StoreErrors []float64 `json:"store_errors"`
}
