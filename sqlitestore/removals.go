package sqlitestore

import (
	"fmt"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// removalKey is the primary key of a removal.
type removalKey struct {
	project presence.Project
	user    presence.UserID
}

// removalRow is a removal with its project.
type removalRow struct {
	project presence.Project
	presence.Removal
}

// removals returns the removals that are in force, sorted by version. A row with a wrong checksum is an error.
func (d *database) removals(now time.Time) (all []removalRow, err error) {
	rows, err := d.sql.Query("SELECT project, user, until, version, checksum FROM writer_presence_removals WHERE until > ? ORDER BY version", now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r removalRow
		var until int64
		var sum uint32
		if err := rows.Scan(&r.project, &r.User, &until, &r.Version, &sum); err != nil {
			return nil, fmt.Errorf("it is damaged: removal %d cannot be read: %w", len(all)+1, err)
		}
		r.Until = time.UnixMilli(until)
		if sum != removalChecksum(r.project, r.Removal) {
			return nil, fmt.Errorf("it is damaged: the checksum of removal %d is wrong", len(all)+1)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// writeRemovals writes removals that are in force, and deletes the rows of the others: after a restart nobody is
// connected any more, so only those that reject updates matter.
func (d *database) writeRemovals(removals map[removalKey]presence.Removal) error {
	var args []any
	now := time.Now()
	for k, r := range removals {
		if !r.Until.After(now) {
			if _, err := d.deleteRemoval.Exec(string(k.project), string(k.user)); err != nil {
				return err
			}
			continue
		}
		args = append(args, string(k.project), string(k.user), r.Until.UnixMilli(), int64(r.Version), int64(removalChecksum(k.project, r)))
	}
	return d.upsertRemovals.exec(args)
}
