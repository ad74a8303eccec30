package live

import (
	"math/rand/v2"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// profiledClients are enough for many rooms, and few enough to be connected before the leases of the first ones end.
const profiledClients = 1000

// Profile records a CPU profile of the server for changes in rooms at random, and returns the name of its file.
func Profile(r *harness.Run, d time.Duration) (file string) {
	return r.RecordCPU(d, func(r *harness.Run, server *harness.Process) func(time.Duration) {
		p := NewPool(r)
		clients := p.Add(server, Presence, r.Users(server, profiledClients), RoomSize)
		p.Connect(clients, PacedHandshakes, 0)
		return func(d time.Duration) {
			p.Round(func() *Client { return clients[rand.IntN(len(clients))] }, d, time.Millisecond, server)
			p.CheckConnected()
		}
	})
}
