package redis

import (
	"bufio"
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

// commands are the words that a store sends for each operation.
type commands struct {
	update, leave, snapshot, versionCheck []string
	noop                                  []string // a script with the arguments of an update that does nothing
}

// Placeholders in recorded commands, of as many digits as what replaces them.
const (
	anyRoom    = "1234567"
	anyPerson  = "7654321"
	anySection = "2222222"
	firstSeq   = 1_000_000_000
	anyVersion = "version" // replaces the version at which the commands were recorded
)

// numbers replace the placeholders.
type numbers struct {
	room, person, section int
	seq                   int64
	version               int64
}

// fill returns the words of a recorded command with its placeholders replaced.
func (n numbers) fill(words []string) []string {
	seq, room, person, section := strconv.Itoa(firstSeq), fmt.Sprintf("%07d", n.room), fmt.Sprintf("%07d", n.person), fmt.Sprintf("%07d", n.section)
	filled := make([]string, len(words))
	for i, word := range words {
		switch word {
		case seq:
			word = strconv.FormatInt(n.seq, 10)
		case anyVersion:
			word = strconv.FormatInt(n.version, 10)
		default:
			word = strings.ReplaceAll(word, anyRoom, room)
			word = strings.ReplaceAll(word, anyPerson, person)
			word = strings.ReplaceAll(word, anySection, section)
		}
		filled[i] = word
	}
	return filled
}

// record has a store perform each operation once, and returns the commands that it sends, with placeholders.
func (b *bench) record(lease time.Duration) (c commands) {
	// The store runs only to be closed: a running one answers from memory what is to be measured.
	ctx, cancel := context.WithCancel(context.Background())
	store, err := redisstore.Open(ctx, "redis://"+b.redis.Address, redisstore.Options{Lease: lease})
	b.Check(err)
	defer store.Run(ctx)
	defer cancel()
	const room = "room-" + anyRoom
	user := presence.User{ID: anyPerson, Name: "Writer-" + anyPerson}
	update := presence.Update{Session: "session-" + anyPerson + "-of-one-page-load", Seq: firstSeq, Section: "manuscript/section-" + anySection, Activity: presence.Editing}
	reply, err := store.Update(ctx, room, user, update)
	b.Check(err)
	_, err = store.Snapshot(ctx, room)
	b.Check(err)

	monitor, err := net.Dial("tcp", b.redis.Address)
	b.Check(err)
	defer monitor.Close()
	_, err = monitor.Write([]byte("MONITOR\r\n"))
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
		for i, word := range words {
			if word == strconv.FormatUint(reply.Version, 10) {
				words[i] = anyVersion
			}
		}
		return words
	}
	c.update = sent(store.Update(ctx, room, user, update))
	sha, err := b.client.Do(ctx, b.client.B().ScriptLoad().Script("return 1").Build()).ToString()
	b.Check(err)
	c.noop = append([]string{"EVALSHA", sha}, c.update[2:]...)
	c.snapshot = sent(store.Snapshot(ctx, room))
	c.versionCheck = append(c.snapshot[:len(c.snapshot)-1:len(c.snapshot)-1], anyVersion)
	c.leave = sent(store.Leave(ctx, room, user, presence.Leave{Session: update.Session, Seq: firstSeq}))
	b.flush()
	return c
}

// lastScript reads lines of MONITOR up to one with the marker, and returns the last EVALSHA among them. Its words
// contain no spaces.
func lastScript(lines *bufio.Reader, marker string) (words []string, err error) {
	for {
		line, err := lines.ReadString('\n')
		switch _, rest, found := strings.Cut(line, `] "EVALSHA" `); {
		case err != nil:
			return nil, err
		case strings.Contains(line, strconv.Quote(marker)) && words == nil:
			return nil, errors.New("the store called no script")
		case strings.Contains(line, strconv.Quote(marker)):
			return words, nil
		case found:
			words = []string{"EVALSHA"}
			for _, quoted := range strings.Fields(rest) {
				word, err := strconv.Unquote(quoted)
				if err != nil {
					return nil, err
				}
				words = append(words, word)
			}
		}
	}
}
