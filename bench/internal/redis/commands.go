package redis

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
)

// command is what a store sends for one operation.
type command int

const (
	updateCommand command = iota // a renewal or a change, by whether the section is another one
	entryCommand                 // an update with unless_occupied
	pollCommand                  // likewise, which asks for the snapshot if that is new
	leaveCommand
	snapshotCommand
	versionCheckCommand
	noopCommand // a script with the same arguments that does nothing
	hashCommand // HSET and HGET
	commandCount
)

// Numbers that stand in a recorded command for those of the operations. All have as many
// digits as what replaces them.
const (
	anyRoom      = "1234567"
	anyPerson    = "7654321"
	anySection   = "2222222"
	numberDigits = 7

	firstSeq      = 1_000_000_000
	seqDigits     = 10
	versionDigits = 13
)

// template is a command with positions at which numbers are filled in.
type template struct {
	text                                     []byte
	rooms, persons, sections, seqs, versions []int
}

// numbers are what a template is filled with.
type numbers struct {
	room, person, section int
	seq                   int64
	version               uint64
}

// newTemplate finds the positions in a command that was sent when the room had this version.
func newTemplate(version uint64, text []byte) *template {
	positions := func(number string) (all []int) {
		for at := 0; ; at++ {
			next := bytes.Index(text[at:], []byte(number))
			if next < 0 {
				return all
			}
			at += next
			all = append(all, at)
		}
	}
	t := &template{text: text, rooms: positions(anyRoom), persons: positions(anyPerson), sections: positions(anySection), seqs: positions(strconv.Itoa(firstSeq))}
	if version > 0 {
		t.versions = positions(strconv.FormatUint(version, 10))
	}
	return t
}

func (t *template) append(out []byte, n numbers) []byte {
	start := len(out)
	out = append(out, t.text...)
	text := out[start:]
	fill(text, t.rooms, numberDigits, uint64(n.room))
	fill(text, t.persons, numberDigits, uint64(n.person))
	fill(text, t.sections, numberDigits, uint64(n.section))
	fill(text, t.seqs, seqDigits, uint64(n.seq))
	fill(text, t.versions, versionDigits, n.version)
	return out
}

func fill(text []byte, positions []int, digits int, number uint64) {
	for _, at := range positions {
		rest := number
		for i := at + digits - 1; i >= at; i-- {
			text[i] = '0' + byte(rest%10)
			rest /= 10
		}
	}
}

// encode returns a command in Redis's protocol.
func encode(words ...string) []byte {
	text := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, word := range words {
		text = fmt.Appendf(text, "$%d\r\n%s\r\n", len(word), word)
	}
	return text
}

// record has a store perform each operation once, and returns the commands that it sends: what
// is measured is what the store sends, to the byte.
func (b *bench) record(lease time.Duration) (commands [commandCount]*template) {
	ctx := context.Background()
	store, closeStore := b.openStore(redisstore.Options{Lease: lease})
	defer closeStore()
	const room = "room-" + anyRoom
	user := presence.User{ID: anyPerson, Name: "Writer " + anyPerson}
	update := presence.Update{Session: "session-" + anyPerson + "-of-one-page-load", Seq: firstSeq, Section: "manuscript/section-" + anySection, Activity: presence.Editing}
	reply, err := store.Update(ctx, room, user, update)
	b.Check(err)
	snapshot, err := store.Snapshot(ctx, room)
	b.Check(err)
	version := reply.Version
	if snapshot.Version != version {
		b.Check(fmt.Errorf("an unchanged room went from version %d to %d", version, snapshot.Version))
	}

	monitor, err := net.Dial("tcp", b.redis.Address)
	b.Check(err)
	defer monitor.Close()
	_, err = monitor.Write(encode("MONITOR"))
	b.Check(err)
	lines := bufio.NewReader(monitor)
	_, err = lines.ReadString('\n')
	b.Check(err)
	sent := func(_ any, err error) []string {
		b.Check(err)
		const marker = "recorded"
		b.Check(b.client.Do(ctx, b.client.B().Echo().Message(marker).Build()).Error())
		words, err := lastScript(lines, marker)
		b.Check(err)
		return words
	}
	set := func(c command, words []string) { commands[c] = newTemplate(version, encode(words...)) }

	words := sent(store.Update(ctx, room, user, update))
	set(updateCommand, words)
	words[1], err = b.client.Do(ctx, b.client.B().ScriptLoad().Script("return 1").Build()).ToString()
	b.Check(err)
	set(noopCommand, words)
	update.UnlessOccupied = true
	set(entryCommand, sent(store.Update(ctx, room, user, update)))
	update.Poll, update.Known = true, version
	set(pollCommand, sent(store.Update(ctx, room, user, update)))
	words = sent(store.Snapshot(ctx, room))
	set(snapshotCommand, words)
	words[len(words)-1] = strconv.FormatUint(version, 10)
	set(versionCheckCommand, words)
	set(leaveCommand, sent(store.Leave(ctx, room, user, presence.Leave{Session: update.Session, Seq: firstSeq})))
	commands[hashCommand] = newTemplate(0, append(encode("HSET", "pair:"+anyRoom, anyPerson, strings.Repeat("v", 100)), encode("HGET", "pair:"+anyRoom, anyPerson)...))
	b.flush()
	return commands
}

// lastScript reads lines of MONITOR up to one with the marker, and returns the last EVALSHA among them.
func lastScript(lines *bufio.Reader, marker string) (words []string, err error) {
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if strings.Contains(line, strconv.Quote(marker)) {
			if words == nil {
				return nil, errors.New("the store called no script")
			}
			return words, nil
		}
		_, rest, found := strings.Cut(line, `] "EVALSHA" `)
		if !found {
			continue
		}
		words = []string{"EVALSHA"}
		for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, err
			}
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			words, rest = append(words, word), rest[len(quoted):]
		}
	}
}
