package main

import (
	"context"
	"io"
	"net/http"
	"slices"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// The data of the application: sessions, names, and the members of its projects.
var (
	sessions = map[string]presence.UserID{"session-of-alice": "1", "session-of-bob": "2", "session-of-mallory": "3"}
	names    = map[presence.UserID]string{"1": "Alice", "2": "Bob", "3": "Mallory"}
	members  = map[presence.Project][]presence.UserID{"thesis": {"1", "2"}}
)

func identify(_ context.Context, r identity.Request) (presence.User, error) {
	cookie, err := (&http.Request{Header: r.Header}).Cookie("session")
	if err != nil || sessions[cookie.Value] == "" {
		return presence.User{}, identity.ErrNobody
	}
	id := sessions[cookie.Value]
	return identity.NewUser(id, names[id])
}

func authorize(_ context.Context, user presence.User, project presence.Project) error {
	if !slices.Contains(members[project], user.ID) {
		return identity.ErrProjectUnknown
	}
	return nil
}

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, `<!doctype html><title>Thesis</title>
<p><select id="texfile-selector"><option value="manuscript/abstract">Abstract</select> <span id="presence-badge"></span></p>
<div id="presence-warning" style="height: 3rem"></div>
<script type="module">
  import { PresenceManager } from '/writer/api/client/writer-presence.js';
  const presence = new PresenceManager('thesis', null, {alone: true});
  presence.setSection('manuscript/abstract');
  presence.start();
</script>`)
}
