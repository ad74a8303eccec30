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

// answer is what the scripts give; see roster.lua.
type answer struct {
	now     time.Time
	version uint64
	partial bool // Redis lost data, and people may be missing
	loss    uint64
	lapse   time.Duration // until somebody lapses or is to be forgotten, at the soonest; or noRoster
	whole   bool          // whether living is all that live
	living  []presence.Record
	// snapshot is made of them when the answer is taken in.
	snapshot *presence.Snapshot
	more     []rueidis.RedisMessage
}

// noRoster says that nobody is there, and nobody was lately.
const noRoster = -1 * time.Microsecond

func readAnswer(result rueidis.RedisResult) (a answer, err error) {
	fields, err := result.ToArray()
	if err != nil {
		return a, err
	}
	if len(fields) < 4 {
		return a, fmt.Errorf("a script gave %d fields; at least 4 are due", len(fields))
	}
	numbers := [3]int64{}
	for i := range numbers {
		if numbers[i], err = fields[i].AsInt64(); err != nil {
			return a, err
		}
	}
	a = answer{now: time.UnixMicro(numbers[0]), version: uint64(max(numbers[1], -numbers[1])), partial: numbers[1] < 0, lapse: time.Duration(numbers[2]) * time.Microsecond, whole: !fields[3].IsNil(), more: fields[4:]}
	if !a.whole {
		return a, nil
	}
	all, err := fields[3].AsStrSlice()
	if err != nil {
		return a, err
	}
	for i := 0; i+1 < len(all); i += 2 { // fields and what is in them; see read.lua
		if all[i] == "lost" {
			until, _ := strconv.ParseFloat(all[i+1], 64)
			a.loss = uint64(max(until, 0))
		}
		id, isMember := strings.CutPrefix(all[i], "u")
		if !isMember {
			continue
		}
		if a.living, err = appendMember(a.living, presence.UserID(id), all[i+1]); err != nil {
			return a, err
		}
	}
	return a, nil
}

// number, is and text read the fields that an operation added. A field that a renewal leaves out is
// 0, false and "".
func (a answer) number(i int) uint64 {
	if i >= len(a.more) {
		return 0
	}
	n, _ := a.more[i].AsInt64()
	return uint64(max(n, 0))
}

func (a answer) is(i int) bool { return a.number(i) != 0 }

func (a answer) text(i int) string {
	if i >= len(a.more) {
		return ""
	}
	s, _ := a.more[i].ToString()
	return s
}

// member is a user as the scripts keep them; see read.lua. Its array must have exactly these
// fields, also those that only the scripts use.
type member struct {
	_msgpack struct{} `msgpack:",as_array"`
	Name     string
	Visitor  bool
	Sessions []session
	Ended    msgpack.RawMessage // is for the scripts
}

// session is what a node reads of a session; see read.lua.
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
	read := []any{&s.Name, &s.Seq, (*string)(&s.Section), (*string)(&s.Activity), &s.Seen, &till, &s.Touched}
	if n < len(read) {
		return fmt.Errorf("a session in Redis has %d elements; at least %d are due", n, len(read))
	}
	if err := d.DecodeMulti(read...); err != nil {
		return err
	}
	for range n - len(read) {
		if err := d.Skip(); err != nil {
			return err
		}
	}
	return nil
}

// appendMember appends the living sessions of a member.
func appendMember(records []presence.Record, id presence.UserID, packed string) ([]presence.Record, error) {
	var m member
	if err := msgpack.Unmarshal([]byte(packed), &m); err != nil {
		return nil, fmt.Errorf("a member in Redis cannot be read: %w", err)
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
