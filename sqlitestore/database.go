package sqlitestore

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite"

	presence "github.com/writer-presence/writer-presence"
)

// fileName is the name of the journal's database in its directory.
const fileName = "presence.db"

//go:embed migrations/*.sql
var migrations embed.FS

// database is the journal's SQLite file. Only one goroutine may use it at a time.
type database struct {
	dir, path string
	lease     time.Duration
	lock      *os.File
	sql       *sql.DB
	// files are the files in use. isLost is set when one of them was found removed, replaced or
	// cut, until all records are in a new file.
	files  []openFile
	isLost bool
	// isCut is set when a file was cut short or overwritten in place; see isWhole.
	isCut bool
	// missed is until when ends may not have been written, because the process or the disk failed: an active row of that
	// time may be of a session that has ended. It is zero once these rows were deleted.
	missed time.Time
	// rollbackFailed means that the connection may still be in the last transaction.
	rollbackFailed bool
	// isSameBoot means that the machine has not restarted since the last process used the files.
	isSameBoot bool
	log        logState

	begin, commit, rollback, insertLog, deleteLog, deleteSessions, setClock, purge, purgeMissed, deleteSave, purgeMoves, deleteRemoval, deleteAnnouncement *sql.Stmt
	upsertSessions, upsertSaves, upsertMoves, upsertRemovals, upsertAnnouncements                                                                          upsert
}

// row is a record with its project.
type row struct {
	project presence.Project
	presence.Record
}

func (r row) key() key { return key{r.project, r.User.ID, r.Session} }

// openDatabase locks the directory, then opens, checks and migrates the file.
func openDatabase(dir string, lease time.Duration, log *slog.Logger) (*database, error) {
	if err := makeDir(dir, log); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	d := &database{dir: dir, path: filepath.Join(dir, fileName), lease: lease, lock: lock, isSameBoot: recordBoot(lock), missed: time.Now()}
	if err := d.open(log); err != nil {
		d.close()
		return nil, d.errUnusable(err)
	}
	return d, nil
}

func (d *database) errUnusable(err error) error {
	return fmt.Errorf("cannot use the journal %s: %w. The file is unchanged. If it is damaged, restore a backup, or move it away with its -wal and -shm to start with nobody online", d.path, err)
}

// maxQuickCheck is the largest file whose pages are all checked at the start (5 ms per MB). A
// larger one holds mostly ended sessions, which the start deletes; kept rows have checksums.
const maxQuickCheck = 16 << 20

func (d *database) open(log *slog.Logger) (err error) {
	if err := d.makeFile(log); err != nil {
		return err
	}
	if damaged, err := isDamaged(d.path + "-wal"); err != nil {
		return err
	} else if damaged && d.isSameBoot {
		return fmt.Errorf("it is damaged: the last changes, in %s-wal, cannot be read", fileName)
	} else if damaged {
		log.Warn("the last changes in the journal cannot be read, as after a power failure; missing users return with their next heartbeat", "file", d.path+"-wal")
	}
	if d.sql, err = connect(d.path); err != nil {
		return err
	}
	defer d.recordFiles()
	if err := d.quickCheck(); err != nil {
		return err
	}
	if err := migrate(d.sql); err != nil {
		return err
	}
	return d.prepare()
}

// quickCheck checks the pages of a file that is not larger than maxQuickCheck.
func (d *database) quickCheck() error {
	info, err := os.Stat(d.path)
	if err != nil || info.Size() > maxQuickCheck {
		return err
	}
	var verdict string
	if err := d.sql.QueryRow("PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New("it is damaged: " + verdict)
	}
	return nil
}

// connect opens an SQLite file with a single connection.
func connect(path string) (*sql.DB, error) {
	// In WAL mode with synchronous=NORMAL a killed process loses nothing; a power failure may
	// lose the last commits but does not corrupt the file.
	return connectWith(path, "_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
}

func connectWith(path, parameters string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+parameters)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func migrate(db *sql.DB) error {
	provider, err := migrator(db)
	if err != nil {
		return err
	}
	_, err = provider.Up(context.Background())
	return err
}

// migrator returns what migrates a file. It returns an error for the file of a newer version.
func migrator(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return nil, err
	}
	current, target, err := provider.GetVersions(context.Background())
	if err != nil {
		return nil, err
	}
	if current > target {
		return nil, fmt.Errorf("it was written by a newer writer-presence (schema version %d, this one knows %d): start that one", current, target)
	}
	return provider, nil
}

func (d *database) close() {
	d.closeSQL()
	d.lock.Close()
}

func (d *database) closeSQL() {
	if d.sql != nil {
		d.sql.Close()
		d.sql = nil
	}
	for i := range d.files {
		d.files[i].closeReader()
	}
}

func (d *database) clock() (clock uint64, err error) {
	err = d.sql.QueryRow("SELECT coalesce(max(clock), 0) FROM writer_presence_clock").Scan(&clock)
	if err == nil && clock > presence.MaxSafe {
		err = errors.New("its clock is damaged")
	}
	return clock, err
}

// rows returns all rows except those of sessions that ended before a moment. A row with a wrong
// checksum is an error; checksum 0 marks a row of an older version and is accepted.
func (d *database) rows(before time.Time) (all []row, err error) {
	rows, err := d.sql.Query(`SELECT project, user, session, username, visitor, avatar_url, agent, current_section, activity, unsaved, waiting_for,
			seq, touched, last_seen, is_active, checksum
		FROM writer_presence WHERE NOT (is_active = 0 AND last_seen < ?)`, before.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
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

// minFree is the free space in the file that a start leaves at least, for the next log.
const minFree = 16 << 20

// prune deletes the stale saves, and the removals that are over. If the file is much larger than the rows to keep need, it
// deletes all other rows and shrinks the file. It empties the tables and the log and inserts these rows again: ten times
// as fast as single deletes.
func (d *database) prune(all stored, now time.Time) error {
	if _, err := d.sql.Exec("DELETE FROM writer_presence_removals WHERE until <= ?", now.UnixMilli()); err != nil {
		return err
	}
	var pages, free int
	if err := d.sql.QueryRow("SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count").Scan(&pages, &free); err != nil {
		return err
	}
	const pageSize, tables, most = 4096, 256 << 10, 512 // most: bytes per row with half of its page free
	need := tables + most*(len(all.sessions)+len(all.saves)) + int(d.log.size.Load())
	if (pages-free)*pageSize <= need && free*pageSize <= max(minFree, minLog+logPerUser*len(all.sessions)) {
		if len(all.staleSaves) == 0 {
			return nil
		}
		return d.transact(func() error {
			for _, k := range all.staleSaves {
				if _, err := d.deleteSave.Exec(string(k.project), string(k.section)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := d.transact(func() error {
		if _, err := d.sql.Exec("DELETE FROM writer_presence; DELETE FROM writer_presence_saves"); err != nil {
			return err
		}
		if err := d.writeSessions(slices.Clone(all.sessions)); err != nil {
			return err
		}
		keep := newChanges(0)
		for _, r := range all.saves {
			keep.put(r.project, unwritten{saves: []presence.Save{r.Save}})
		}
		if err := d.writeSaves(keep.saves); err != nil {
			return err
		}
		return d.deleteLogBefore(d.log.lastID+1, all.clock)
	})
	if err != nil {
		return err
	}
	d.log.size.Store(0)
	_, err = d.sql.Exec("VACUUM")
	return err
}

// write commits changes and the clock in one transaction: sessions to the log, all else to its table. It deletes the
// rows of sessions that ended before purge, and of moves of sections that are older; a zero purge deletes none. Saves
// need no purge, since a roster says when it drops one.
func (d *database) write(c changes, clock uint64, purge time.Time) error {
	encoded, keepFrom := encodeRecords(c.records), d.log.keepFrom
	if c.begins {
		keepFrom = d.log.lastID + 1
	}
	err := d.transact(func() error {
		if err := d.appendLog(clock, encoded); err != nil {
			return err
		}
		if err := d.writeTables(c); err != nil {
			return err
		}
		if c.ends {
			if err := d.deleteLogBefore(keepFrom, clock); err != nil {
				return err
			}
		}
		if purge.IsZero() {
			return nil
		}
		return d.deleteOld(purge)
	})
	if err != nil {
		d.missed = time.Now()
		return err
	}
	d.log.keepFrom = keepFrom
	if c.begins {
		d.log.size.Store(0)
	}
	d.log.size.Add(int64(len(encoded)))
	return nil
}

// deleteOld deletes the rows of sessions that ended before a moment, and of older moves.
func (d *database) deleteOld(before time.Time) error {
	if _, err := d.purge.Exec(before.UnixMilli()); err != nil {
		return err
	}
	// The session of a row last seen that long ago has ended before the moment, too.
	if seen := before.Add(-d.lease); !d.missed.IsZero() && seen.After(d.missed) {
		if _, err := d.purgeMissed.Exec(seen.UnixMilli()); err != nil { // reads the whole table
			return err
		}
		d.missed = time.Time{}
	}
	_, err := d.purgeMoves.Exec(int64(oldestMove(before)))
	return err
}

// writeTables writes all changes but those for the log.
func (d *database) writeTables(c changes) error {
	if err := d.replaceSessions(c.sessions); err != nil {
		return err
	}
	if err := d.writeSaves(c.saves); err != nil {
		return err
	}
	if err := d.writeMoves(c.moves); err != nil {
		return err
	}
	if err := d.writeRemovals(c.removals); err != nil {
		return err
	}
	return d.writeAnnouncements(c.announcements)
}

// replaceSessions replaces all living sessions of projects, and those that ended if they are given.
func (d *database) replaceSessions(projects map[presence.Project][]presence.Record) error {
	var all []row
	for project, records := range projects {
		if _, err := d.deleteSessions.Exec(string(project)); err != nil {
			return err
		}
		for _, r := range records {
			all = append(all, row{project, r})
		}
	}
	return d.writeSessions(all)
}

// writeSessions writes sessions to their table, in its order, since then neighbours share their pages. It sorts them.
func (d *database) writeSessions(sessions []row) error {
	slices.SortFunc(sessions, func(a, b row) int {
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

// prepare prepares all statements once, because preparing costs more than writing a row.
func (d *database) prepare() (err error) {
	prepare := func(text string) *sql.Stmt {
		var stmt *sql.Stmt
		if err == nil {
			stmt, err = d.sql.Prepare(text)
		}
		return stmt
	}
	d.begin, d.commit, d.rollback = prepare("BEGIN IMMEDIATE"), prepare("COMMIT"), prepare("ROLLBACK")
	d.insertLog = prepare("INSERT INTO writer_presence_log (id, clock, records, checksum) VALUES (?, ?, ?, ?)")
	// Those that ended are purged in time, also if the roster has dropped them: see presence.MaxEnded.
	d.deleteSessions = prepare("DELETE FROM writer_presence WHERE project = ? AND is_active = 1")
	d.deleteLog = prepare("DELETE FROM writer_presence_log WHERE id < ?")
	d.setClock = prepare("INSERT INTO writer_presence_clock (id, clock) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET clock = max(clock, excluded.clock)")
	d.purge = prepare("DELETE FROM writer_presence WHERE is_active = 0 AND last_seen < ?") // by its index
	d.purgeMissed = prepare("DELETE FROM writer_presence WHERE last_seen < ?")
	d.upsertSessions = prepareUpsert(prepare, "writer_presence", "project", "user", "session", "username", "visitor", "avatar_url", "agent",
		"current_section", "activity", "unsaved", "waiting_for", "seq", "touched", "last_seen", "is_active", "checksum")
	d.upsertSaves = prepareUpsert(prepare, "writer_presence_saves", "project", "section", "revision", "user", "username", "saved_at", "checksum")
	d.deleteSave = prepare("DELETE FROM writer_presence_saves WHERE project = ? AND section = ?")
	d.upsertMoves = prepareUpsert(prepare, "writer_presence_moves", "project", "version", "source", "target", "checksum")
	d.purgeMoves = prepare("DELETE FROM writer_presence_moves WHERE version < ?")
	d.upsertRemovals = prepareUpsert(prepare, "writer_presence_removals", "project", "user", "until", "version", "checksum")
	d.deleteRemoval = prepare("DELETE FROM writer_presence_removals WHERE project = ? AND user = ?")
	d.upsertAnnouncements = prepareUpsert(prepare, "writer_presence_announcements", "project", "version", "occupied", "state", "checksum")
	d.deleteAnnouncement = prepare("DELETE FROM writer_presence_announcements WHERE project = ?")
	if err != nil {
		return err
	}
	var size int64
	err = d.sql.QueryRow("SELECT coalesce(max(id), 0), coalesce(sum(length(records)), 0) FROM writer_presence_log").Scan(&d.log.lastID, &size)
	d.log.keepFrom = 0 // of another file
	d.log.size.Store(size)
	return err
}
