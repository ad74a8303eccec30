package redisstore

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
)

// The parts of the scripts. An embedded string that has no file stops the compiler.
var (
	//go:embed announce.lua
	announceLua string
	//go:embed claim.lua
	claimLua string
	//go:embed leave.lua
	leaveLua string
	//go:embed leave_args.lua
	leaveArgsLua string
	//go:embed member.lua
	memberLua string
	//go:embed read.lua
	readLua string
	//go:embed moved.lua
	movedLua string
	//go:embed follow_moves.lua
	followMovesLua string
	//go:embed removal.lua
	removalLua string
	//go:embed remove.lua
	removeLua string
	//go:embed remove_args.lua
	removeArgsLua string
	//go:embed renew.lua
	renewLua string
	//go:embed roster.lua
	rosterLua string
	//go:embed save.lua
	saveLua string
	//go:embed save_args.lua
	saveArgsLua string
	//go:embed save_call.lua
	saveCallLua string
	//go:embed section_move.lua
	sectionMoveLua string
	//go:embed section_move_args.lua
	sectionMoveArgsLua string
	//go:embed snapshot.lua
	snapshotLua string
	//go:embed snapshot_args.lua
	snapshotArgsLua string
	//go:embed snapshot_unchanged.lua
	snapshotUnchangedLua string
	//go:embed update.lua
	updateLua string
	//go:embed update_args.lua
	updateArgsLua string
)

// scripts has one script for each operation. Redis runs a script atomically.
type scripts struct{ update, leave, move, save, remove, snapshot, claim, announce *rueidis.Lua }

// newScripts builds the scripts. Publish is the command that sends wake-ups.
func newScripts(lease, heartbeat time.Duration, publish string) *scripts {
	return newScriptTexts(lease, heartbeat, publish).scripts("0")
}

// scriptTexts has the texts of the scripts, without the value of SHIFT.
type scriptTexts struct{ update, leave, move, save, remove, snapshot, claim, announce string }

func newScriptTexts(lease, heartbeat time.Duration, publish string) scriptTexts {
	constants := fmt.Sprintf("local LEASE, HIDDEN_GRACE, BROKEN_GRACE, FINALITY, MAX_SESSIONS, MAX_ENDED, MAX_SAVES, MAX_MOVES, MAX_REMOVALS, REMOVAL_KEPT, MAX_SECTION, MAX_SAFE, UNGUESSABLE_NAME, HEARTBEAT, ANNOUNCED, PUBLISH = %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, '%s'\n",
		lease.Microseconds(), presence.HiddenGrace.Microseconds(), presence.BrokenGrace.Microseconds(), presence.Finality.Microseconds(),
		presence.MaxSessions, presence.MaxEnded, presence.MaxSaves, presence.MaxMoves, presence.MaxRemovals, removalKept.Microseconds(), presence.MaxSection, presence.MaxSafe, presence.MinUnguessableName, heartbeat.Microseconds(), announcedTime.Milliseconds(), publish)
	text := func(parts ...string) string { return inlineConstants(constants + strings.Join(parts, "")) }
	return scriptTexts{
		update:   text(updateArgsLua, readLua, "if moves and known_version > 0 then\n", movedLua, followMovesLua, "end\n", renewLua, memberLua, rosterLua, saveLua, removalLua, updateLua),
		leave:    text(leaveArgsLua, readLua, memberLua, rosterLua, saveLua, leaveLua),
		move:     text(sectionMoveArgsLua, readLua, movedLua, memberLua, rosterLua, saveLua, sectionMoveLua),
		save:     text(saveArgsLua, readLua, memberLua, rosterLua, saveLua, saveCallLua),
		remove:   text(removeArgsLua, readLua, memberLua, rosterLua, saveLua, removalLua, removeLua),
		snapshot: text(snapshotArgsLua, readLua, snapshotUnchangedLua, memberLua, rosterLua, saveLua, snapshotLua),
		claim:    text(claimLua),
		announce: text(announceLua),
	}
}

// scripts returns the scripts. Shift is what they add to the time of Redis, "0" but in tests.
func (t scriptTexts) scripts(shift string) *scripts {
	script := func(text string) *rueidis.Lua {
		return rueidis.NewLuaScript(strings.ReplaceAll(text, "SHIFT", shift))
	}
	return &scripts{update: script(t.update), leave: script(t.leave), move: script(t.move), save: script(t.save), remove: script(t.remove), snapshot: script(t.snapshot),
		claim: script(t.claim), announce: script(t.announce)}
}

// constantsLine is a line that declares constants, which have names in capitals.
var constantsLine = regexp.MustCompile(`^local ([A-Z][A-Z_, ]*) = ([\w'>, ]+?)(?: --.*)?\n$`)

// inlineConstants replaces the constants of a script by their values. Redis creates the functions of a
// script again for each call, and that takes the longer the more locals they use.
func inlineConstants(script string) string {
	values := map[string]string{}
	var rest, inlined strings.Builder
	for line := range strings.Lines(script) {
		m := constantsLine.FindStringSubmatch(line)
		if m == nil {
			rest.WriteString(line)
			continue
		}
		of := strings.Split(m[2], ", ")
		for i, name := range strings.Split(m[1], ", ") {
			values[name] = of[i]
		}
		rest.WriteByte('\n') // errors of Redis have the numbers of lines
	}
	for script = rest.String(); script != ""; {
		end := strings.IndexFunc(script, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if end < 0 {
			end = len(script)
		}
		word := script[:end]
		if value, ok := values[word]; ok {
			word = value
		}
		inlined.WriteString(word)
		next := min(end+1, len(script))
		inlined.WriteString(script[end:next])
		script = script[next:]
	}
	return inlined.String()
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
