package polling

import (
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// Profiles records a CPU profile of the server for each kind of request, and returns the names of their files.
func Profiles(r *harness.Run, d time.Duration) (files []string) {
	for _, c := range cases {
		files = append(files, r.RecordCPU(d, func(r *harness.Run, server *harness.Process) func(time.Duration) {
			load := &Load{r, server, r.CPU, c.clients(&fixture{r, server})}
			return func(d time.Duration) { load.Round(d) }
		}))
	}
	return files
}
