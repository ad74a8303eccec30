package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite"

	presence "writer-presence"
)

// FileName is the journal's in its directory.
const FileName = "presence.db"

//go:embed migrations/*.sql
var migrations embed.FS

// database is the journal's file. One goroutine at a time may write.
type database struct {
	lock *os.File
	sql  *sql.DB

	begin, commit, rollback, setClock, purge *sql.Stmt
	upsert                                   map[int]*sql.Stmt // by how many rows it writes
}

// row is a record with its project.
type row struct {
	project presence.Project
	presence.Record
}

// openDatabase opens the file, checks it and brings it to the newest form.
func openDatabase(dir string) (*database, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	d := &database{lock: lock, upsert: map[int]*sql.Stmt{}}
	path := filepath.Join(dir, FileName)
	if err := d.open(path); err != nil {
		d.close()
		return nil, fmt.Errorf("cannot use the journal %s: %w. It was left as it is; where it is damaged, restore a backup in its place, or move it away to start with nobody online", path, err)
	}
	return d, nil
}

// makeDir makes the directory, for its owner alone. One that was there before is kept
// for the owner, too, unless others have something in it.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the data directory: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read the data directory: %w", err)
	}
	ours := len(files) == 0 || slices.ContainsFunc(files, func(f os.DirEntry) bool { return f.Name() == FileName })
	if ours {
		err = os.Chmod(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the data directory for its owner alone: %w", err)
	}
	return nil
}

// lockDir sees to it that one process uses the directory. The lock goes with the
// process, however that ends.
func lockDir(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write to the data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("the data directory %s is in use by another process: stop that one, or choose another directory with --data", dir)
	}
	return lock, nil
}

func (d *database) open(path string) error {
	// SQLite gives its other files the mode of this one.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	// In WAL mode synchronous=NORMAL loses nothing when the process is killed, and
	// stays whole when the machine is: then the last commits may be missing.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	if d.sql, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	d.sql.SetMaxOpenConns(1)
	var verdict string
	if err := d.sql.QueryRow("PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New("it is damaged: " + verdict)
	}
	if err := d.migrate(); err != nil {
		return err
	}
	return d.prepare()
}

func (d *database) migrate() error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, d.sql, files)
	if err != nil {
		return err
	}
	ctx := context.Background()
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("it was written by a newer writer-presence (form %d, this one knows %d): start that one", current, target)
	}
	_, err = provider.Up(ctx)
	return err
}

func (d *database) close() {
	if d.sql != nil {
		d.sql.Close()
	}
	d.lock.Close()
}

func (d *database) clock() (clock uint64, err error) {
	err = d.sql.QueryRow("SELECT coalesce(max(clock), 0) FROM writer_presence_clock").Scan(&clock)
	return clock, err
}

func (d *database) rows() ([]row, error) {
	rows, err := d.sql.Query("SELECT project, user, session, username, visitor, current_section, activity, seq, touched, last_seen, is_active FROM writer_presence")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []row
	for rows.Next() {
		var r row
		var lastSeen int64
		if err := rows.Scan(&r.project, &r.User.ID, &r.Session, &r.User.Name, &r.User.Visitor, &r.Section, &r.Activity, &r.Seq, &r.Touched, &lastSeen, &r.Active); err != nil {
			return nil, err
		}
		r.LastSeen = time.UnixMilli(lastSeen)
		all = append(all, r)
	}
	return all, rows.Err()
}

// write puts records, the clock and what need not be kept into one commit.
func (d *database) write(records map[key]presence.Record, clock uint64, purge time.Time) (err error) {
	if _, err := d.begin.Exec(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.rollback.Exec() // which has its own error where there is nothing to roll back
		}
	}()
	if err := d.writeRecords(records); err != nil {
		return err
	}
	if _, err := d.setClock.Exec(int64(clock)); err != nil {
		return err
	}
	if !purge.IsZero() {
		if _, err := d.purge.Exec(purge.UnixMilli()); err != nil {
			return err
		}
	}
	_, err = d.commit.Exec()
	return err
}

func (d *database) writeRecords(records map[key]presence.Record) error {
	args := make([]any, 0, len(records)*columns)
	for k, r := range records {
		args = append(args, string(k.project), string(k.user), k.session, r.User.Name, r.User.Visitor, string(r.Section),
			string(r.Activity), int64(r.Seq), int64(r.Touched), r.LastSeen.UnixMilli(), r.Active)
	}
	for rows := biggest; len(args) > 0; {
		if rows > len(args)/columns {
			rows /= 2
			continue
		}
		if _, err := d.upsert[rows].Exec(args[:rows*columns]...); err != nil {
			return err
		}
		args = args[rows*columns:]
	}
	return nil
}

const (
	columns = 11
	// biggest is how many rows one statement writes at the most; a power of two.
	biggest = 64
)

// prepare makes the statements, once: for one row, to prepare them again costs more than
// to write it. Those for many rows are there since most of the price of a row is that
// of its statement. There is one connection, so that they make one transaction.
func (d *database) prepare() (err error) {
	prepare := func(text string) *sql.Stmt {
		var stmt *sql.Stmt
		if err == nil {
			stmt, err = d.sql.Prepare(text)
		}
		return stmt
	}
	d.begin, d.commit, d.rollback = prepare("BEGIN IMMEDIATE"), prepare("COMMIT"), prepare("ROLLBACK")
	d.setClock = prepare("INSERT INTO writer_presence_clock (id, clock) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET clock = max(clock, excluded.clock)")
	d.purge = prepare("DELETE FROM writer_presence WHERE last_seen < ?")
	one := "(?" + strings.Repeat(", ?", columns-1) + ")"
	for rows := biggest; rows > 0; rows /= 2 {
		d.upsert[rows] = prepare(`INSERT INTO writer_presence
			(project, user, session, username, visitor, current_section, activity, seq, touched, last_seen, is_active)
			VALUES ` + one + strings.Repeat(", "+one, rows-1) + `
			ON CONFLICT (project, user, session) DO UPDATE SET
				username = excluded.username, visitor = excluded.visitor, current_section = excluded.current_section,
				activity = excluded.activity, seq = excluded.seq, touched = excluded.touched,
				last_seen = excluded.last_seen, is_active = excluded.is_active`)
	}
	return err
}
