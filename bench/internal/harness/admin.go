package harness

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Admin is the admin address of a server, with a key of its host API.
type Admin struct{ address, key string }

// StartAdmin starts the measured server with a host API.
func (r *Run) StartAdmin(args ...string) (*Process, Admin) {
	a := Admin{key: strings.Repeat("key-of-the-benchmark-", 2)}
	a.address, _ = r.FreeAddress()
	keyFile := filepath.Join(r.Dir, "api-key")
	r.Check(os.WriteFile(keyFile, []byte(a.key), 0o600))
	return r.StartServer(append([]string{"--admin-addr", a.address, "--api-key-file", keyFile}, args...)...), a
}

// Get returns what is at a path of the admin address.
func (a Admin) Get(path string) (string, error) {
	return Request(http.MethodGet, "http://"+a.address+path, a.key, "")
}

// Request sends a request with a token and returns the body of the answer. A status other than 200 is an error.
func Request(method, url, token, body string) (string, error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s %s", method, url, response.Status, text)
	}
	return string(text), err
}

// RecordCPU starts the measured server and runs load twice: for d/4 to warm up, then while the server records a CPU
// profile for d. It returns the name of the profile's file.
func (r *Run) RecordCPU(d time.Duration, load func(*Run, *Process) (run func(time.Duration))) (file string) {
	out, err := os.CreateTemp(r.Dir, "cpu-")
	r.Check(err)
	defer out.Close()
	r.Sub(func(r *Run) {
		server, admin := r.StartAdmin()
		run := load(r, server)
		run(d / 4)
		recorded := make(chan error, 1)
		go func() {
			profile, err := admin.Get(fmt.Sprintf("/debug/pprof/profile?seconds=%.0f", d.Seconds()))
			if err == nil {
				_, err = out.WriteString(profile)
			}
			recorded <- err
		}()
		run(d + d/4)
		r.Check(<-recorded)
	})
	return out.Name()
}

// MergeProfiles writes profiles into one.
func (r *Run) MergeProfiles(into string, files []string) {
	text, err := exec.Command("go", append([]string{"tool", "pprof", "-proto", "-output", into}, files...)...).CombinedOutput()
	if err != nil {
		r.Check(fmt.Errorf("go tool pprof: %w\n%s", err, text))
	}
}
