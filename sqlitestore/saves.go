package sqlitestore

import (
	"fmt"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// saveKey is the primary key of a save.
type saveKey struct {
	project presence.Project
	section presence.Section
}

// saveRow is a save with its project.
type saveRow struct {
	project presence.Project
	presence.Save
}

// isStale is the condition for saves that no roster would keep: older than a moment, in a project without
// sessions since that moment. Its arguments are the moment in nanoseconds and in milliseconds.
const isStale = `saved_at < ? AND NOT EXISTS (SELECT 1 FROM writer_presence
	WHERE project = writer_presence_saves.project AND NOT (is_active = 0 AND last_seen < ?))`

// saves returns all saves except those that are stale before a moment. A row with a wrong checksum is an
// error.
func (d *database) saves(before time.Time) (all []saveRow, err error) {
	rows, err := d.sql.Query(`SELECT project, section, revision, user, username, saved_at, checksum
		FROM writer_presence_saves WHERE NOT (`+isStale+`)`, before.UnixNano(), before.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r saveRow
		var at int64
		var sum uint32
		if err := rows.Scan(&r.project, &r.Section, &r.Revision, &r.User, &r.Name, &at, &sum); err != nil {
			return nil, fmt.Errorf("it is damaged: save %d cannot be read: %w", len(all)+1, err)
		}
		r.At = time.Unix(0, at)
		if sum != saveChecksum(r.project, r.Save) {
			return nil, fmt.Errorf("it is damaged: the checksum of save %d is wrong", len(all)+1)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// writeSaves writes saves, and deletes the rows of those with an empty Revision.
func (d *database) writeSaves(saves map[saveKey]presence.Save) error {
	var args []any
	for k, s := range saves {
		if s.Revision == "" {
			if _, err := d.deleteSave.Exec(string(k.project), string(k.section)); err != nil {
				return err
			}
			continue
		}
		args = append(args, string(k.project), string(s.Section), s.Revision, string(s.User), s.Name, s.At.UnixNano(), int64(saveChecksum(k.project, s)))
	}
	return d.upsertSaves.exec(args)
}
