package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// scanInterval is how often one of the nodes looks through all projects for [Store.Unannounced].
	scanInterval = 5 * time.Second
	// announcedTime is how long Redis keeps an announcement; those of projects with users are written again after
	// announceAgain.
	announcedTime = 24 * time.Hour
	announceAgain = time.Hour
	// logKey is the stream with the log of events, maxLogged how many it has, about.
	logKey    = "writer-presence:events"
	maxLogged = 10_000
)

// announcedKey is the key of a project's announcement, on the same server as the project.
func announcedKey(key string) string { return strings.Replace(key, ":", ":events:", 1) }

// NotifyChanges implements [presence.EventStore].
func (s *Store) NotifyChanges(changed func(presence.Project)) (stop func()) {
	s.changed.Store(&changed)
	return func() { s.changed.CompareAndSwap(&changed, nil) }
}

// notify calls the function of NotifyChanges.
func (s *Store) notify(project presence.Project) {
	if changed := s.changed.Load(); changed != nil {
		(*changed)(project)
	}
}

// Claim implements [presence.EventStore].
func (s *Store) Claim(ctx context.Context, project presence.Project, holder string, ttl time.Duration) (a presence.Announcement, ok bool, err error) {
	fields, err := s.runEvents(ctx, project, (*scripts).claimScript, holder, strconv.FormatInt(ttl.Microseconds(), 10), "0")
	if err != nil || len(fields) < 4 {
		return a, false, err
	}
	version, _ := fields[1].ToString()
	a.Version, _ = strconv.ParseUint(version, 10, 64)
	occupied, _ := fields[2].ToString()
	a.Occupied = occupied == "1"
	state, _ := fields[3].ToString()
	if state != "" {
		a.State = []byte(state)
	}
	return a, true, nil
}

// Renew implements [presence.EventStore].
func (s *Store) Renew(ctx context.Context, project presence.Project, holder string, ttl time.Duration) (ok bool, err error) {
	fields, err := s.runEvents(ctx, project, (*scripts).claimScript, holder, strconv.FormatInt(ttl.Microseconds(), 10), "1")
	return err == nil && isOne(fields), err
}

// Announce implements [presence.EventStore].
func (s *Store) Announce(ctx context.Context, project presence.Project, holder string, a presence.Announcement) (ok bool, err error) {
	fields, err := s.runEvents(ctx, project, (*scripts).announceScript, holder, number(a.Version), flags(a.Occupied), string(a.State))
	return err == nil && isOne(fields), err
}

func isOne(fields []rueidis.RedisMessage) bool {
	n, err := fields[0].AsInt64()
	return err == nil && n == 1
}

// runEvents runs a script on the announcement of a project.
func (s *Store) runEvents(ctx context.Context, project presence.Project, script func(*scripts) *rueidis.Lua, args ...string) ([]rueidis.RedisMessage, error) {
	if s.client == nil {
		return nil, errNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	fields, err := script(s.scripts.Load()).Exec(ctx, s.client, []string{announcedKey(projectKey(project))}, args).ToArray()
	s.outage.note(err)
	if err != nil {
		return nil, unavailable(err)
	}
	return fields, nil
}

func (s *scripts) claimScript() *rueidis.Lua    { return s.claim }
func (s *scripts) announceScript() *rueidis.Lua { return s.announce }

// Unannounced implements [presence.EventStore]. It scans the keys of all masters, in one node at a time. A session that
// expired in a project that no node watches is found by the time in its roster.
func (s *Store) Unannounced(ctx context.Context) (due []presence.Project, err error) {
	if _, ok, err := s.Claim(ctx, presence.Everywhere, rand.Text(), scanInterval); !ok || err != nil {
		return nil, err
	}
	nodes, err := s.masters(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	seen := map[presence.Project]bool{presence.Everywhere: true}
	for _, m := range nodes {
		for cursor := uint64(0); ; {
			entry, err := m.client.Do(ctx, m.client.B().Scan().Cursor(cursor).Match("writer-presence:*{*:*}").Count(maxScanned/10).Build()).AsScanEntry()
			if err != nil {
				return nil, unavailable(err)
			}
			var found []presence.Project
			for _, key := range entry.Elements {
				if project, ok := projectOf(strings.Replace(key, ":events:", ":", 1)); ok && !seen[project] {
					seen[project] = true
					found = append(found, project)
				}
			}
			if due, err = s.appendUnannounced(ctx, due, found); err != nil {
				return nil, err
			}
			if cursor = entry.Cursor; cursor == 0 {
				break
			}
		}
	}
	return due, nil
}

// appendUnannounced appends those of some projects that have to be announced.
func (s *Store) appendUnannounced(ctx context.Context, due, projects []presence.Project) ([]presence.Project, error) {
	if len(projects) == 0 {
		return due, nil
	}
	var reads []rueidis.Completed
	for _, project := range projects {
		key := projectKey(project)
		reads = append(reads, s.client.B().Hmget().Key(key).Field("roster").Build(),
			s.client.B().Hmget().Key(announcedKey(key)).Field("version", "occupied", "at").Build())
	}
	answers := s.client.DoMulti(ctx, reads...)
	for i, project := range projects {
		roster, err := answers[2*i].AsStrSlice()
		if err != nil {
			return nil, unavailable(err)
		}
		announced, err := answers[2*i+1].AsStrSlice()
		if err != nil {
			return nil, unavailable(err)
		}
		if isUnannounced(roster[0], announced[0], announced[1] == "1", announced[2], s.now()) {
			due = append(due, project)
		}
	}
	return due, nil
}

// isUnannounced decides whether a project has to be announced: by its roster, "" for none, and the fields of its
// announcement.
func isUnannounced(roster, version string, occupied bool, at string, now time.Time) bool {
	if len(roster) < 24 {
		return occupied || version == "0"
	}
	field := func(i int) float64 { return math.Float64frombits(binary.BigEndian.Uint64([]byte(roster[8*i:]))) }
	nextExpiry, written := field(2), now.Add(-announceAgain).UnixMicro()
	since, _ := strconv.ParseInt(at, 10, 64)
	return version != number(uint64(field(0))) || occupied && (nextExpiry < float64(now.UnixMicro()) || since < written)
}

// AppendEvents implements [presence.EventStore].
func (s *Store) AppendEvents(ctx context.Context, all [][]byte) error {
	if s.client == nil {
		return errNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var commands []rueidis.Completed
	for _, data := range all {
		commands = append(commands, s.client.B().Xadd().Key(logKey).Maxlen().Almost().Threshold(strconv.Itoa(maxLogged)).Id("*").
			FieldValue().FieldValue("event", string(data)).Build())
	}
	commands = append(commands, s.client.B().Pexpire().Key(logKey).Milliseconds(announcedTime.Milliseconds()).Build())
	for _, answer := range s.client.DoMulti(ctx, commands...) {
		if err := answer.Error(); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// entryID matches the ids of entries of a stream.
var entryID = regexp.MustCompile(`^\d{1,19}-\d{1,19}$`)

// Events implements [presence.EventStore].
func (s *Store) Events(ctx context.Context, after string, limit int) (page []presence.LoggedEvent, next string, known bool, err error) {
	if s.client == nil {
		return nil, "", false, errNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	const none = "0-0"
	limit = max(limit, 1)
	read := func(command rueidis.Completed) (entries []rueidis.XRangeEntry) {
		if err == nil {
			if entries, err = s.client.Do(ctx, command).AsXRange(); err != nil {
				err = unavailable(err)
			}
		}
		return entries
	}
	if after == "" {
		next = none
		for _, entry := range read(s.client.B().Xrevrange().Key(logKey).End("+").Start("-").Count(1).Build()) {
			next = entry.ID
		}
		return nil, next, true, err
	}
	var entries []rueidis.XRangeEntry
	next = none
	if entryID.MatchString(after) {
		next = after
		entries = read(s.client.B().Xrange().Key(logKey).Start(after).End("+").Count(int64(limit) + 1).Build())
		if known = after == none || len(entries) > 0 && entries[0].ID == after; known && after != none {
			entries = entries[1:]
		}
	}
	if !known {
		next = none
		entries = read(s.client.B().Xrange().Key(logKey).Start("-").End("+").Count(int64(limit)).Build())
	}
	for _, entry := range entries[:min(len(entries), limit)] {
		page = append(page, presence.LoggedEvent{ID: entry.ID, Data: []byte(entry.FieldValues["event"])})
		next = entry.ID
	}
	return page, next, known, err
}
