package sqlitestore

import (
	"fmt"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// moveKey is the primary key of a move.
type moveKey struct {
	project presence.Project
	version uint64
}

// moveRow is a move with its project.
type moveRow struct {
	project presence.Project
	presence.Move
}

// oldestMove returns the version of the oldest move that is not older than a moment: versions follow the clock.
func oldestMove(moment time.Time) uint64 { return uint64(max(0, moment.UnixMilli())) }

// moves returns the moves that are not older than a moment, in the order of their versions. A row with a wrong checksum
// is an error.
func (d *database) moves(before time.Time) (all []moveRow, err error) {
	rows, err := d.sql.Query(`SELECT project, version, source, target, checksum FROM writer_presence_moves
		WHERE version >= ? ORDER BY version`, int64(oldestMove(before)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r moveRow
		var sum uint32
		if err := rows.Scan(&r.project, &r.Version, &r.From, &r.To, &sum); err != nil {
			return nil, fmt.Errorf("it is damaged: move %d cannot be read: %w", len(all)+1, err)
		}
		if sum != moveChecksum(r.project, r.Move) {
			return nil, fmt.Errorf("it is damaged: the checksum of move %d is wrong", len(all)+1)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func (d *database) writeMoves(moves map[moveKey]presence.Move) error {
	args := make([]any, 0, len(moves)*d.upsertMoves.columns)
	for k, m := range moves {
		args = append(args, string(k.project), int64(m.Version), string(m.From), string(m.To), int64(moveChecksum(k.project, m)))
	}
	return d.upsertMoves.exec(args)
}
