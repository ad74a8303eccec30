package redisstore

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	presence "writer-presence"
)

var (
	//go:embed roster.lua
	rosterLua string
	//go:embed update.lua
	updateLua string
	//go:embed leave.lua
	leaveLua string
	//go:embed snapshot.lua
	snapshotLua string
)

// scripts are the operations, each one script, so that it takes effect at one moment.
type scripts struct{ update, leave, snapshot *rueidis.Lua }

// newScripts makes them for a lease, and for a command that wakes others. Shift is added to
// the time of Redis; it is there for tests.
func newScripts(lease time.Duration, publish string, shift time.Duration) *scripts {
	constants := fmt.Sprintf("local LEASE, HIDDEN_GRACE, BROKEN_GRACE, FINALITY, MAX_SESSIONS, SHIFT, PUBLISH = %d, %d, %d, %d, %d, %d, '%s'\n",
		lease.Microseconds(), presence.HiddenGrace.Microseconds(), presence.BrokenGrace.Microseconds(), presence.Finality.Microseconds(),
		presence.MaxSessions, shift.Microseconds(), publish)
	script := func(operation string) *rueidis.Lua { return rueidis.NewLuaScript(constants + rosterLua + operation) }
	return &scripts{update: script(updateLua), leave: script(leaveLua), snapshot: script(snapshotLua)}
}
