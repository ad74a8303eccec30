package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/writer-presence/writer-presence/hostapi/client"
)

// A server that answers as a presence server does, so that the example runs.
func presenceServer() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete:
			fmt.Fprint(w, `{"success": true, "version": 1762189200001}`)
			return
		case r.URL.Path == "/api/v1/events":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "id: 1764400000000-1\ndata: "+
				`{"id": "PCGOTM2DK6PNS3DJEXXGPGDG", "type": "user.joined", "data": {"project": "thesis", "user": {"user_id": 7, "username": "Alice"}}}`+"\n\n")
			return
		}
		fmt.Fprint(w, `{"success": true, "projects": [{"project": "thesis", "version": 1762189200000, "user": {"user_id": 7, "username": "Alice", "section": "abstract"}}]}`)
	}))
}

func Example() {
	server := presenceServer()
	defer server.Close()

	presence, err := client.New(server.URL, key) // a line of --api-key-file of the server
	if err != nil {
		fmt.Println(err)
		return
	}
	places, err := presence.User(context.Background(), "7")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, place := range places {
		fmt.Println(place.User.Name, "is in", place.Project, "at", place.User.Section)
	}
	err = presence.RemoveUser(context.Background(), "thesis", "7", time.Hour) // her role was taken away
	if failure := (*client.Error)(nil); errors.As(err, &failure) {
		fmt.Println(failure.Code)
	}
	// Output:
	// Alice is in thesis at abstract
}

func ExampleClient_Events() {
	server := presenceServer()
	defer server.Close()
	presence, err := client.New(server.URL, key)
	if err != nil {
		fmt.Println(err)
		return
	}

	after := "1764400000000-0" // the position of the last event that was handled; "" at first
	for event, err := range presence.Events(context.Background(), after) {
		if err != nil { // Events connects again by itself
			fmt.Println(err)
			continue
		}
		switch event.Type {
		case client.UserJoined:
			fmt.Println(event.User.Name, "joined", event.Project)
		case client.EventsLost:
			// Read the present state from Projects and Project.
		}
		after = event.Position // store it with what the event changed
		break                  // for the example
	}
	// Output:
	// Alice joined thesis
}
