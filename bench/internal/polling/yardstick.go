package polling

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// ServeYardstick is a net/http server with one pattern, which reads the body and answers with
// bytes that a PUT gave it before. It returns only on errors.
func ServeYardstick() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // collects about as often as the measured server
	}
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

// Twin sends each request once, gives a yardstick the answer, and returns a load whose requests ask the yardstick for it.
func (l *Load) Twin(yardstick *harness.Process) *Load {
	twins := &Load{run: l.run, server: yardstick, cpu: l.run.CPU}
	for i, c := range l.clients {
		twin := &client{}
		for j, q := range c.requests {
			name := fmt.Sprintf("/c%dr%d", i, j)
			put, err := http.NewRequest(http.MethodPut, "http://"+yardstick.Address+name, bytes.NewReader(ask(l.run, l.server, q)))
			l.run.Check(err)
			response, err := http.DefaultClient.Do(put)
			l.run.Check(err)
			response.Body.Close()
			method, rest, _ := bytes.Cut(q.text, []byte(" "))
			_, rest, _ = bytes.Cut(rest, []byte(" "))
			twin.requests = append(twin.requests, &request{text: bytes.Join([][]byte{method, []byte(name), rest}, []byte(" "))})
		}
		twins.clients = append(twins.clients, twin)
	}
	return twins
}
