package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/writer-presence/writer-presence/client"
)

// The client can be served from any path, since its modules import each other by relative paths.
func ExampleFiles() {
	mux := http.NewServeMux()
	mux.Handle("/presence/", http.StripPrefix("/presence/", http.FileServerFS(client.Files)))
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/presence/writer-presence.js", nil))
	fmt.Println(answer.Code, answer.Header().Get("Content-Type"))
	// Output:
	// 200 text/javascript; charset=utf-8
}
