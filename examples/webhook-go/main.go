// Command webhook-go receives events of Writer Presence: it verifies the signature, drops duplicates, and prints the rest.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// maxBody is more than the largest batch: 100 events with 20 names each.
const maxBody = 4 << 20

// event has the fields of an event that this program uses.
type event struct {
	ID, Type string
	Data     struct {
		Project, Section, Revision string
		User                       *user
		Users                      []user
	}
}

type user struct {
	Username string
}

// receiver handles webhooks. Here it remembers in memory what it has handled; with several processes that belongs into the
// database, in the transaction of what the event changes.
type receiver struct {
	verifier *standardwebhooks.Webhook

	mu      sync.Mutex
	handled map[string]time.Time // by the id of the event
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := r.verifier.Verify(body, request.Header); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var batch struct{ Data []event }
	if err := json.Unmarshal(body, &batch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, at := range r.handled {
		if time.Since(at) > time.Hour { // no duplicate arrives that late
			delete(r.handled, id)
		}
	}
	for _, e := range batch.Data {
		if _, ok := r.handled[e.ID]; !ok {
			handle(e)
			r.handled[e.ID] = time.Now()
		}
	}
	w.WriteHeader(http.StatusNoContent) // any 2xx accepts all events of the batch
}

// handle is where your application does something.
func handle(e event) {
	names := []string{}
	if e.Data.User != nil {
		names = append(names, e.Data.User.Username)
	}
	for _, u := range e.Data.Users {
		names = append(names, u.Username)
	}
	fmt.Printf("%s project=%s section=%q %s\n", e.Type, e.Data.Project, e.Data.Section, strings.Join(names, ", "))
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8002", "`address` to listen on")
	secretFile := flag.String("secret-file", "", "`file` with the secret, the one of --webhook-secret-file")
	flag.Parse()
	if err := run(*addr, *secretFile); err != nil {
		log.Fatal(err)
	}
}

func run(addr, secretFile string) error {
	secret, err := os.ReadFile(secretFile)
	if err != nil {
		return err
	}
	verifier, err := standardwebhooks.NewWebhook(strings.TrimSpace(string(secret)))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("waiting for webhooks at http://%s/\n", l.Addr())
	return http.Serve(l, &receiver{verifier: verifier, handled: map[string]time.Time{}})
}
