package redisstore

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/vmihailenco/msgpack/v5"

	presence "github.com/writer-presence/writer-presence"
)

// answer is the result of a script; see answer in roster.lua.
type answer struct {
	now        time.Time // by Redis's clock
	version    uint64
	partial    bool          // Redis lost data, and people may be missing
	loss       uint64        // as in [presence.Snapshot]
	nextExpiry time.Duration // until the next session may expire or be forgotten; or noRoster
	complete   bool          // whether records are all sessions of the project
	records    []presence.Record
	snapshot   *presence.Snapshot // of records; set by projectCache.apply
	more       []rueidis.RedisMessage
}

// noRoster says that the project has no sessions, and had none lately.
const noRoster = -1 * time.Microsecond

// readAnswer decodes the result of a script.
func readAnswer(result rueidis.RedisResult) (a answer, err error) {
	fields, err := result.ToArray()
	if err != nil {
		return a, err
	}
	if len(fields) < 4 {
		return a, fmt.Errorf("a script returned %d fields; at least 4 are due", len(fields))
	}
	numbers := [3]int64{}
	for i := range numbers {
		if numbers[i], err = fields[i].AsInt64(); err != nil {
			return a, err
		}
	}
	a = answer{
		now:     time.UnixMicro(numbers[0]),
		version: uint64(max(numbers[1], -numbers[1])), partial: numbers[1] < 0,
		nextExpiry: time.Duration(numbers[2]) * time.Microsecond,
		complete:   !fields[3].IsNil(), more: fields[4:],
	}
	if !a.complete {
		return a, nil
	}
	hash, err := fields[3].AsStrSlice()
	if err != nil {
		return a, err
	}
	for i := 0; i+1 < len(hash); i += 2 { // names and values; see read.lua
		if hash[i] == "lost" {
			until, _ := strconv.ParseFloat(hash[i+1], 64)
			a.loss = uint64(max(until, 0))
		}
		id, isMember := strings.CutPrefix(hash[i], "u")
		if !isMember {
			continue
		}
		if a.records, err = appendMember(a.records, presence.UserID(id), hash[i+1]); err != nil {
			return a, err
		}
	}
	return a, nil
}

// number reads a field that only one operation has; it is 0 if the script left it out.
func (a answer) number(i int) uint64 {
	if i >= len(a.more) {
		return 0
	}
	n, _ := a.more[i].AsInt64()
	return uint64(max(n, 0))
}

// is reads such a field as a boolean.
func (a answer) is(i int) bool { return a.number(i) != 0 }

// text reads such a field as text.
func (a answer) text(i int) string {
	if i >= len(a.more) {
		return ""
	}
	s, _ := a.more[i].ToString()
	return s
}

// member is a user as the scripts store it; see read.lua. The array must have exactly these fields.
type member struct {
	_msgpack struct{} `msgpack:",as_array"`
	Name     string
	Visitor  bool
	Sessions []session
	Ended    msgpack.RawMessage // only the scripts read it
}

// session has the fields of a session that a node reads; see read.lua.
type session struct {
	Name     string
	Seq      uint64
	Section  presence.Section
	Activity presence.Activity
	Seen     int64 // in microseconds
	Touched  uint64
}

// DecodeMsgpack reads the array of a session. It ignores the elements after touched, so that
// nodes of different versions can share a Redis while they are replaced one by one.
func (s *session) DecodeMsgpack(d *msgpack.Decoder) error {
	n, err := d.DecodeArrayLen()
	if err != nil {
		return err
	}
	var till int64
	fields := []any{&s.Name, &s.Seq, (*string)(&s.Section), (*string)(&s.Activity), &s.Seen, &till, &s.Touched}
	if n < len(fields) {
		return fmt.Errorf("a session in Redis has %d elements; at least %d are due", n, len(fields))
	}
	if err := d.DecodeMulti(fields...); err != nil {
		return err
	}
	for range n - len(fields) {
		if err := d.Skip(); err != nil {
			return err
		}
	}
	return nil
}

// appendMember decodes a member and appends its sessions.
func appendMember(records []presence.Record, id presence.UserID, packed string) ([]presence.Record, error) {
	var m member
	if err := msgpack.Unmarshal([]byte(packed), &m); err != nil {
		return nil, fmt.Errorf("cannot decode a member in Redis: %w", err)
	}
	for _, s := range m.Sessions {
		records = append(records, presence.Record{
			User: presence.User{ID: id, Name: m.Name, Visitor: m.Visitor}, Session: s.Name, Seq: s.Seq,
			Section: s.Section, Activity: s.Activity,
			LastSeen: time.UnixMicro(s.Seen), Touched: s.Touched, Active: true,
		})
	}
	return records, nil
}
