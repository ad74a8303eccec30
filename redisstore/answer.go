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
	nextExpiry time.Duration // until the next session expires, or an ended session or a save can be forgotten; or noRoster
	complete   bool          // whether records, saves and moves are all of the project
	records    []presence.Record
	saves      []*presence.Save
	moves      []*presence.Move
	removals   []presence.Removal
	snapshot   *presence.Snapshot // of the fields above; set by projectCache.apply
	more       []rueidis.RedisMessage
}

// noRoster: Redis keeps nothing of the project.
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
		name, value := hash[i], hash[i+1]
		switch {
		case name == "lost":
			until, _ := strconv.ParseFloat(value, 64)
			a.loss = uint64(max(until, 0))
		case name == "removals":
			a.removals, err = readRemovals(value)
		case name == "moves":
			a.moves, err = readMoves(value, a.now)
		case strings.HasPrefix(name, "u"):
			a.records, err = appendMember(a.records, presence.UserID(name[1:]), value)
		case strings.HasPrefix(name, "s"):
			a.saves, err = appendSave(a.saves, presence.Section(name[1:]), value)
		}
		if err != nil {
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

// member has the fields of a user that a node reads; see read.lua.
type member struct {
	Name     string
	Visitor  bool
	Sessions []session
}

// DecodeMsgpack reads the array of a member.
func (m *member) DecodeMsgpack(d *msgpack.Decoder) error {
	return decodeArray(d, "a member", 3, &m.Name, &m.Visitor, &m.Sessions)
}

// session has the fields of a session that a node reads; see read.lua.
type session struct {
	Name       string
	Seq        uint64
	Section    presence.Section
	Activity   presence.Activity
	Seen       int64 // in microseconds
	Touched    uint64
	Unsaved    bool
	WaitingFor presence.Section
	AvatarURL  string
	Agent      bool
}

// DecodeMsgpack reads the array of a session. The elements after touched may be missing.
func (s *session) DecodeMsgpack(d *msgpack.Decoder) error {
	var till, leaving, connection skipped
	return decodeArray(d, "a session", 7, &s.Name, &s.Seq, (*string)(&s.Section), (*string)(&s.Activity), &s.Seen, &till, &s.Touched,
		&leaving, &connection, &s.Unsaved, (*string)(&s.WaitingFor), &s.AvatarURL, &s.Agent)
}

// save has the fields of a save that a node reads; see read.lua.
type save struct {
	Revision, User, Name string
	At                   int64 // in microseconds
}

// DecodeMsgpack reads the array of a save.
func (s *save) DecodeMsgpack(d *msgpack.Decoder) error {
	return decodeArray(d, "a save", 4, &s.Revision, &s.User, &s.Name, &s.At)
}

// removal has the fields of a removal that a node reads; see removal.lua.
type removal struct {
	User    string
	Until   int64 // in microseconds
	Version uint64
}

// DecodeMsgpack reads the array of a removal.
func (r *removal) DecodeMsgpack(d *msgpack.Decoder) error {
	return decodeArray(d, "a removal", 3, &r.User, &r.Until, &r.Version)
}

// readRemovals decodes the field removals.
func readRemovals(packed string) ([]presence.Removal, error) {
	var list []removal
	if err := msgpack.Unmarshal([]byte(packed), &list); err != nil {
		return nil, fmt.Errorf("cannot decode the removals in Redis: %w", err)
	}
	removals := make([]presence.Removal, len(list))
	for i, r := range list {
		removals[i] = presence.Removal{User: presence.UserID(r.User), Until: time.UnixMicro(r.Until), Version: r.Version}
	}
	return removals, nil
}

// move has the fields of a move of a section; see read.lua.
type move struct {
	Version  uint64
	From, To string
}

// DecodeMsgpack reads the array of a move.
func (m *move) DecodeMsgpack(d *msgpack.Decoder) error {
	return decodeArray(d, "a move", 3, &m.Version, &m.From, &m.To)
}

// skipped stands for an element of an array that a node does not read.
type skipped struct{}

// decodeArray decodes an array of at least so many elements into the fields. It ignores the elements
// after them, so that nodes of different versions can share a Redis while they are replaced one by one.
func decodeArray(d *msgpack.Decoder, what string, least int, fields ...any) error {
	n, err := d.DecodeArrayLen()
	if err != nil {
		return err
	}
	if n < least {
		return fmt.Errorf("%s in Redis has %d elements; at least %d are due", what, n, least)
	}
	for i := range n {
		if i >= len(fields) {
			err = d.Skip()
		} else if _, skip := fields[i].(*skipped); skip {
			err = d.Skip()
		} else {
			err = d.Decode(fields[i])
		}
		if err != nil {
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
		// Each session has the picture and agent of the user, unless an older node created it. The first one
		// decides, as in member.lua.
		records = append(records, presence.Record{
			User:    presence.User{ID: id, Name: m.Name, Visitor: m.Visitor, AvatarURL: m.Sessions[0].AvatarURL, Agent: m.Sessions[0].Agent},
			Session: s.Name, Seq: s.Seq,
			Section: s.Section, Activity: s.Activity, Unsaved: s.Unsaved, WaitingFor: s.WaitingFor,
			LastSeen: time.UnixMicro(s.Seen), Touched: s.Touched, Active: true,
		})
	}
	return records, nil
}

// appendSave decodes a save and appends it.
func appendSave(saves []*presence.Save, section presence.Section, packed string) ([]*presence.Save, error) {
	var s save
	if err := msgpack.Unmarshal([]byte(packed), &s); err != nil {
		return nil, fmt.Errorf("cannot decode a save in Redis: %w", err)
	}
	return append(saves, &presence.Save{
		Saved: presence.Saved{Section: section, Revision: s.Revision},
		User:  presence.UserID(s.User), Name: s.Name, At: time.UnixMicro(s.At),
	}), nil
}

// readMoves decodes the moves of sections that are not older than [presence.Finality].
func readMoves(packed string, now time.Time) (moves []*presence.Move, err error) {
	var all []move
	if err := msgpack.Unmarshal([]byte(packed), &all); err != nil {
		return nil, fmt.Errorf("cannot decode the moves in Redis: %w", err)
	}
	for _, m := range all {
		if m.Version >= uint64(now.Add(-presence.Finality).UnixMilli()) {
			moves = append(moves, &presence.Move{From: presence.Section(m.From), To: presence.Section(m.To), Version: m.Version})
		}
	}
	return moves, nil
}
