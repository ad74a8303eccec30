package sqlitestore

import (
	"fmt"

	presence "github.com/writer-presence/writer-presence"
)

// announcements returns what was announced of each project. A row with a wrong checksum is an error.
func (d *database) announcements() (map[presence.Project]presence.Announcement, error) {
	rows, err := d.sql.Query("SELECT project, version, occupied, state, checksum FROM writer_presence_announcements")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[presence.Project]presence.Announcement{}
	for rows.Next() {
		var project presence.Project
		var a presence.Announcement
		var sum uint32
		if err := rows.Scan(&project, &a.Version, &a.Occupied, &a.State, &sum); err != nil {
			return nil, fmt.Errorf("it is damaged: announcement %d cannot be read: %w", len(all)+1, err)
		}
		if sum != announcementChecksum(project, a) {
			return nil, fmt.Errorf("it is damaged: the checksum of announcement %d is wrong", len(all)+1)
		}
		all[project] = a
	}
	return all, rows.Err()
}

// writeAnnouncements writes announcements, and deletes the rows of those without a State.
func (d *database) writeAnnouncements(announcements map[presence.Project]presence.Announcement) error {
	args := make([]any, 0, len(announcements)*d.upsertAnnouncements.columns)
	for project, a := range announcements {
		if a.State == nil {
			if _, err := d.deleteAnnouncement.Exec(string(project)); err != nil {
				return err
			}
			continue
		}
		args = append(args, string(project), int64(a.Version), a.Occupied, a.State, int64(announcementChecksum(project, a)))
	}
	return d.upsertAnnouncements.exec(args)
}
