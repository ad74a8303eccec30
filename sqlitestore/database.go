package sqlitestore

import (
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

// write commits changes and the clock in one transaction: sessions to the log, all else to its table. It deletes the
// rows of sessions that ended before purge, and of moves of sections that are older; a zero purge deletes none. Saves
// need no purge, since a roster says when it drops one.
func (d *database) write(c changes, clock uint64, purge time.Time) error {
	encoded, firstID, keepFrom := encodeRecords(c.records), d.log.firstID, d.log.keepFrom
	if c.begins {
		keepFrom = d.log.lastID + 1
	}
	if c.deletes > 0 {
		firstID = max(firstID, min(firstID+int64(c.deletes), keepFrom))
	}
	err := d.transact(func() error {
		if err := d.appendLog(clock, encoded); err != nil {
			return err
		}
		if err := d.writeTables(c); err != nil {
			return err
		}
		if c.deletes > 0 {
			if err := d.deleteLogBefore(firstID, clock); err != nil {
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
	d.log.firstID, d.log.keepFrom = firstID, keepFrom
	d.log.hasOld.Store(firstID < keepFrom)
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
	err = d.sql.QueryRow("SELECT coalesce(min(id), 1), coalesce(max(id), 0), coalesce(sum(length(records)), 0) FROM writer_presence_log").
		Scan(&d.log.firstID, &d.log.lastID, &size)
	d.log.keepFrom = 0 // of another file
	d.log.hasOld.Store(false)
	d.log.size.Store(size)
	return err
}
