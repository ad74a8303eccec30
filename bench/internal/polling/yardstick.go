package polling

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// ServeYardstick is a net/http server with one pattern, which reads the body and answers with
// bytes that a PUT gave it before. It returns only on errors.
func ServeYardstick() error {
	debug.SetGCPercent(400) // collects about as often as the measured server
	var mu sync.RWMutex
	answers := map[string][]byte{}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /{name}", func(w http.ResponseWriter, r *http.Request) {
		answer, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		answers[r.PathValue("name")] = answer
	})
	mux.HandleFunc("/{name}", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.RLock()
		answer := answers[r.PathValue("name")]
		mu.RUnlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		w.Write(answer)
	})
	return harness.ServeYardstick(mux)
}

// prepareYardstick sends each request to the server once, gives the yardstick the answer, and
// returns clients whose requests ask the yardstick for it.
func prepareYardstick(r *harness.Run, yardstick, server *harness.Process, clients []*client) (twins []*client) {
	for i, c := range clients {
		twin := &client{}
		for j, q := range c.requests {
			name := fmt.Sprintf("/c%dr%d", i, j)
			put, err := http.NewRequest(http.MethodPut, "http://"+yardstick.Address+name, bytes.NewReader(ask(r, server, q)))
			r.Check(err)
			response, err := http.DefaultClient.Do(put)
			r.Check(err)
			response.Body.Close()
			method, rest, _ := bytes.Cut(q.text, []byte(" "))
			_, rest, _ = bytes.Cut(rest, []byte(" "))
			twin.requests = append(twin.requests, &request{text: bytes.Join([][]byte{method, []byte(name), rest}, []byte(" "))})
		}
		twins = append(twins, twin)
	}
	return twins
}
