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

// saves returns all saves, except those that no roster would keep, of which it returns the keys: older than a moment, in
// a project without sessions since that moment. Those are not checked; otherwise a row with a wrong checksum is an error.
func (d *database) saves(before time.Time, hasSessions map[presence.Project]bool) (all []saveRow, stale []saveKey, err error) {
	rows, err := d.sql.Query("SELECT project, section, revision, user, username, saved_at, checksum FROM writer_presence_saves")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r saveRow
		var at int64
		var sum uint32
		if err := rows.Scan(&r.project, &r.Section, &r.Revision, &r.User, &r.Name, &at, &sum); err != nil {
			return nil, nil, fmt.Errorf("it is damaged: save %d cannot be read: %w", len(all)+1, err)
		}
		r.At = time.Unix(0, at)
		switch {
		case r.At.Before(before) && !hasSessions[r.project]:
			stale = append(stale, saveKey{r.project, r.Section})
		case sum != saveChecksum(r.project, r.Save):
			return nil, nil, fmt.Errorf("it is damaged: the checksum of save %d is wrong", len(all)+1)
		default:
			all = append(all, r)
		}
	}
	return all, stale, rows.Err()
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
