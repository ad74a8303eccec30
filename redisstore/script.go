package redisstore

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
)

//go:embed *.lua
var texts embed.FS

// scripts are the operations, each one script, so that it takes effect at one moment.
type scripts struct{ update, leave, snapshot *rueidis.Lua }

// newScripts makes them for a lease and a heartbeat, and for a command that wakes others. Shift is
// added to the time of Redis; it is there for tests.
func newScripts(lease, heartbeat time.Duration, publish string, shift time.Duration) *scripts {
	constants := fmt.Sprintf("local LEASE, HIDDEN_GRACE, BROKEN_GRACE, FINALITY, MAX_SESSIONS, MAX_ENDED, MAX_SAFE, HEARTBEAT, SHIFT, PUBLISH = %d, %d, %d, %d, %d, %d, %d, %d, %d, '%s'\n",
		lease.Microseconds(), presence.HiddenGrace.Microseconds(), presence.BrokenGrace.Microseconds(), presence.Finality.Microseconds(),
		presence.MaxSessions, presence.MaxEnded, presence.MaxSafe, heartbeat.Microseconds(), shift.Microseconds(), publish)
	script := func(names ...string) *rueidis.Lua {
		var text strings.Builder
		text.WriteString(constants)
		for _, name := range names {
			part, err := texts.ReadFile(name + ".lua")
			if err != nil {
				panic(err) // there is none of that name
			}
			text.Write(part)
		}
		return rueidis.NewLuaScript(text.String())
	}
	return &scripts{
		update:   script("update_args", "read", "renew", "member", "roster", "update"),
		leave:    script("leave_args", "read", "member", "roster", "leave"),
		snapshot: script("snapshot_args", "read", "snapshot_unchanged", "member", "roster", "snapshot"),
	}
}
