package redisstore

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
)

//go:embed *.lua
var luaFiles embed.FS

// scripts has one script for each operation. Redis runs a script atomically.
type scripts struct{ update, leave, snapshot *rueidis.Lua }

// newScripts builds the scripts. Publish is the command that sends wake-ups. Shift is added to the time
// of Redis; only tests set it.
func newScripts(lease, heartbeat time.Duration, publish string, shift time.Duration) *scripts {
	constants := fmt.Sprintf("local LEASE, HIDDEN_GRACE, BROKEN_GRACE, FINALITY, MAX_SESSIONS, MAX_ENDED, MAX_SAFE, HEARTBEAT, SHIFT, PUBLISH = %d, %d, %d, %d, %d, %d, %d, %d, %d, '%s'\n",
		lease.Microseconds(), presence.HiddenGrace.Microseconds(), presence.BrokenGrace.Microseconds(), presence.Finality.Microseconds(),
		presence.MaxSessions, presence.MaxEnded, presence.MaxSafe, heartbeat.Microseconds(), shift.Microseconds(), publish)
	script := func(names ...string) *rueidis.Lua {
		var text strings.Builder
		text.WriteString(constants)
		for _, name := range names {
			part, err := luaFiles.ReadFile(name + ".lua")
			if err != nil {
				panic(err) // a wrong name below
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

// number encodes an argument of a script.
func number(n uint64) string { return strconv.FormatUint(n, 10) }

// flags encodes booleans as the bits of a number; the first one is the lowest bit.
func flags(bits ...bool) string {
	n := uint64(0)
	for i, bit := range bits {
		if bit {
			n |= 1 << i
		}
	}
	return number(n)
}

// memberField returns the field of a user in the hash of a project; see read.lua.
func memberField(id presence.UserID) string { return "u" + string(id) }
