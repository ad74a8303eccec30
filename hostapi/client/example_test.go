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
		if r.Method == http.MethodDelete {
			fmt.Fprint(w, `{"success": true, "version": 1762189200001}`)
			return
		}
		fmt.Fprint(w, `{"success": true, "projects": [{"project": "thesis", "version": 1762189200000, "user": {"user_id": 7, "username": "Alice", "section": "abstract"}}]}`)
	}))
}

func Example() {
	server := presenceServer()
	defer server.Close()

	presence, err := client.New(server.URL, "the key in --api-key-file of the server")
	if err != nil {
		fmt.Println(err)
		return
	}
	places, err := presence.User(context.Background(), "7")
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
