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

// RecordCPU starts the measured server, and has load load it twice: to warm up, and while the server records which code
// its CPU executes. It returns the file of that profile.
func (r *Run) RecordCPU(d time.Duration, load func(r *Run, server *Process) (run func(time.Duration))) (file string) {
	const key = "for-the-profiles-of-a-benchmark-only"
	keyFile := filepath.Join(r.Dir, "api-key")
	r.Check(os.WriteFile(keyFile, []byte(key+"\n"), 0o600))
	out, err := os.CreateTemp(r.Dir, "cpu-")
	r.Check(err)
	r.Sub(func(r *Run) {
		admin, _ := r.FreeAddress()
		run := load(r, r.StartServer("--api-key-file", keyFile, "--admin-addr", admin))
		run(d / 4)
		recorded := make(chan error, 1)
		go func() { recorded <- record(out, admin, key, d) }()
		run(d + d/4)
		r.Check(<-recorded)
	})
	return out.Name()
}

// record writes a CPU profile of a server to a file.
func record(out io.WriteCloser, admin, key string, d time.Duration) error {
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", admin, d.Seconds()), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s to the request for a profile", response.Status)
	}
	if _, err := io.Copy(out, response.Body); err != nil {
		return err
	}
	return out.Close()
}

// MergeProfiles writes profiles into one.
func (r *Run) MergeProfiles(into string, files []string) {
	text, err := exec.Command("go", append([]string{"tool", "pprof", "-proto", "-output", into}, files...)...).CombinedOutput()
	if err != nil {
		r.Check(fmt.Errorf("go tool pprof: %w\n%s", err, strings.TrimSpace(string(text))))
	}
}
