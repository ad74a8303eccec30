package live

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// message is a snapshot, a delta, or the answer of the list endpoint.
type message struct {
	Type           string
	Version        int
	Users, Changed []user
	At             []int
	Left           []any
}

type user map[string]any

// equal compares all but last_seen, whose change alone sends no delta.
func (u user) equal(other user) bool {
	u, other = maps.Clone(u), maps.Clone(other)
	delete(u, "last_seen")
	delete(other, "last_seen")
	return reflect.DeepEqual(u, other)
}

// apply returns the list after a snapshot or delta, as the protocol's document says.
func (m message) apply(list []user) []user {
	if m.Type == "snapshot" {
		return m.Users
	}
	removed := map[any]bool{}
	for _, id := range m.Left {
		removed[id] = true
	}
	for _, u := range m.Changed {
		removed[u["user_id"]] = true
	}
	list = slices.DeleteFunc(slices.Clone(list), func(u user) bool { return removed[u["user_id"]] })
	for i, u := range m.Changed {
		list = slices.Insert(list, m.At[i], u)
	}
	return list
}

// upToDate counts the clients of one room that have the version of the server's list. What
// those that record have received must result in that list.
func upToDate(r *harness.Run, server *harness.Process, clients []*Client) (n int) {
	request, err := http.NewRequest(http.MethodGet, "http://"+server.Address+harness.APIPrefix+"/project/"+clients[0].room+"/presence/list/", nil)
	r.Check(err)
	request.Header.Set("Authorization", "Bearer "+clients[0].user.Token)
	response, err := http.DefaultClient.Do(request)
	r.Check(err)
	defer response.Body.Close()
	var want message
	r.Check(json.NewDecoder(response.Body).Decode(&want))
	for _, c := range clients {
		if c.version == want.Version {
			n++
		}
		if !c.record {
			continue
		}
		var list []user
		for _, text := range c.recorded {
			var m message
			r.Check(json.Unmarshal(text, &m))
			list = m.apply(list)
		}
		if len(list) != len(clients) || !slices.EqualFunc(list, want.Users, user.equal) {
			r.Check(fmt.Errorf("the deltas of %s result in a list of %d people; the server's list has %d and differs", c.user.Name, len(list), len(want.Users)))
		}
	}
	return n
}
