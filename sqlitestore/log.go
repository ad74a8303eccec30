package sqlitestore

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// logState is the state of the log, the table writer_presence_log. A commit appends one row with all sessions
// that changed: that takes a twentieth of the instructions of a row for each session in writer_presence, and one page
// instead of one for each. A compaction writes all sessions to writer_presence, and then deletes the rows that were in
// the log before it.
type logState struct {
	firstID, lastID int64 // of the oldest and the newest row; rows from firstID on may be missing
	// keepFrom is the first row that is not old; see compaction. hasOld can be read concurrently.
	keepFrom int64
	hasOld   atomic.Bool
	// size is how many bytes of records are in the log, or were appended since the last compaction began. It can be read
	// concurrently.
	size atomic.Int64
}

// appendLog appends encoded records and the clock to the log.
func (d *database) appendLog(clock uint64, records []byte) error {
	if len(records) == 0 {
		_, err := d.setClock.Exec(int64(clock))
		return err
	}
	d.log.lastID++
	_, err := d.insertLog.Exec(d.log.lastID, int64(clock), records, int64(logChecksum(d.log.lastID, clock, records)))
	return err
}

// deleteLogBefore deletes the rows of the log below an id. Their sessions must be in their table, and clock must not be
// below theirs.
func (d *database) deleteLogBefore(id int64, clock uint64) error {
	if _, err := d.deleteLog.Exec(id); err != nil {
		return err
	}
	_, err := d.setClock.Exec(int64(clock))
	return err
}

// readLog returns the newest states of the sessions in the log, and the newest clock. A row with a wrong checksum is an
// error.
func (d *database) readLog() (newest map[key]presence.Record, clock uint64, err error) {
	rows, err := d.sql.Query("SELECT id, clock, records, checksum FROM writer_presence_log ORDER BY id")
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	newest = map[key]presence.Record{}
	for rows.Next() {
		var id int64
		var c uint64
		var records []byte
		var sum uint32
		if err := rows.Scan(&id, &c, &records, &sum); err != nil {
			return nil, 0, fmt.Errorf("it is damaged: a row of the log cannot be read: %w", err)
		}
		if sum != logChecksum(id, c, records) || !decodeRecords(records, newest) {
			return nil, 0, fmt.Errorf("it is damaged: the checksum of row %d of the log is wrong", id)
		}
		clock = max(clock, c)
	}
	return newest, clock, rows.Err()
}

// encodeRecords returns records in the form of the log: of each one the texts with their lengths before them, then the
// numbers, then the flags as bits. Lengths, numbers and flags are unsigned varints. A field that a later version adds
// follows the flags, one of which says so: then logs of older versions can still be read.
func encodeRecords(records map[key]presence.Record) []byte {
	b := make([]byte, 0, 128*len(records))
	for k, r := range records {
		for _, text := range [...]string{string(k.project), string(k.user), k.session, r.User.Name, r.User.AvatarURL, string(r.Section), string(r.Activity), string(r.WaitingFor)} {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
		flags := flag(r.User.Visitor) | flag(r.User.Agent)<<1 | flag(r.Unsaved)<<2 | flag(r.Active)<<3
		for _, number := range [...]uint64{r.Seq, r.Touched, uint64(r.LastSeen.UnixMilli()), flags} {
			b = binary.AppendUvarint(b, number)
		}
	}
	return b
}

// decodeRecords puts what encodeRecords has returned into records, in place of older states. It returns false for
// anything else.
func decodeRecords(b []byte, records map[key]presence.Record) (ok bool) {
	isBad := false
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if isBad = isBad || size <= 0; isBad {
			return 0
		}
		b = b[size:]
		return n
	}
	text := func() string {
		n := number()
		if isBad = isBad || n > uint64(len(b)); isBad {
			return ""
		}
		t := string(b[:n])
		b = b[n:]
		return t
	}
	for len(b) > 0 {
		k := key{presence.Project(text()), presence.UserID(text()), text()}
		r := presence.Record{User: presence.User{ID: k.user, Name: text(), AvatarURL: text()}, Session: k.session}
		r.Section, r.Activity, r.WaitingFor = presence.Section(text()), presence.Activity(text()), presence.Section(text())
		r.Seq, r.Touched, r.LastSeen = number(), number(), time.UnixMilli(int64(number()))
		flags := number()
		r.User.Visitor, r.User.Agent, r.Unsaved, r.Active = flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&8 != 0
		if isBad {
			return false
		}
		records[k] = r
	}
	return true
}
