package sqlitestore

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// sessionRow is a record with its project.
type sessionRow struct {
	project presence.Project
	presence.Record
}

func (r sessionRow) key() key { return key{r.project, r.User.ID, r.Session} }

// sessionsSince returns the sessions in their table, except those that ended before a moment. A row with a wrong
// checksum is an error; checksum 0 marks a row of an older version and is accepted.
func (d *database) sessionsSince(before time.Time) (all []sessionRow, err error) {
	rows, err := d.sql.Query(`SELECT project, user, session, username, visitor, avatar_url, agent, current_section, activity, unsaved, waiting_for,
			seq, touched, last_seen, is_active, checksum
		FROM writer_presence WHERE NOT (is_active = 0 AND last_seen < ?)`, before.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r sessionRow
		var lastSeen int64
		var sum uint32
		if err := rows.Scan(&r.project, &r.User.ID, &r.Session, &r.User.Name, &r.User.Visitor, &r.User.AvatarURL, &r.User.Agent, &r.Section, &r.Activity,
			&r.Unsaved, &r.WaitingFor, &r.Seq, &r.Touched, &lastSeen, &r.Active, &sum); err != nil {
			return nil, fmt.Errorf("it is damaged: row %d cannot be read: %w", len(all)+1, err)
		}
		r.LastSeen = time.UnixMilli(lastSeen)
		if sum != 0 && sum != checksum(r.project, r.Record) {
			return nil, fmt.Errorf("it is damaged: the checksum of row %d is wrong", len(all)+1)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// replaceSessions replaces all living sessions of projects, and those that ended if they are given.
func (d *database) replaceSessions(projects map[presence.Project][]presence.Record) error {
	var all []sessionRow
	for project, records := range projects {
		if _, err := d.deleteSessions.Exec(string(project)); err != nil {
			return err
		}
		for _, r := range records {
			all = append(all, sessionRow{project, r})
		}
	}
	return d.writeSessions(all)
}

// writeSessions writes sessions to their table, in its order, since then neighbours share their pages. It sorts them.
func (d *database) writeSessions(sessions []sessionRow) error {
	slices.SortFunc(sessions, func(a, b sessionRow) int {
		return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.User.ID, b.User.ID), cmp.Compare(a.Session, b.Session))
	})
	args := make([]any, 0, len(sessions)*d.upsertSessions.columns)
	for _, r := range sessions {
		args = append(args, string(r.project), string(r.User.ID), r.Session, r.User.Name, r.User.Visitor, r.User.AvatarURL, r.User.Agent,
			string(r.Section), string(r.Activity), r.Unsaved, string(r.WaitingFor),
			int64(r.Seq), int64(r.Touched), r.LastSeen.UnixMilli(), r.Active, int64(checksum(r.project, r.Record)))
	}
	return d.upsertSessions.exec(args)
}
