package sqlitestore

import (
	"context"
	"database/sql/driver"
)

// transact runs statements in one transaction.
func (d *database) transact(statements func() error) (err error) {
	if err := d.beginTransaction(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, failed := d.rollback.Exec()
			d.rollbackFailed = failed != nil // also if SQLite has rolled back already
		}
	}()
	if err := statements(); err != nil {
		return err
	}
	_, err = d.commit.Exec()
	return err
}

// beginTransaction begins a transaction, on a new connection if the old one is stuck in a
// transaction that could not be rolled back.
func (d *database) beginTransaction() error {
	_, err := d.begin.Exec()
	if err != nil && d.rollbackFailed {
		if err = d.reconnect(); err == nil {
			_, err = d.begin.Exec()
		}
	}
	if err == nil {
		d.rollbackFailed = false
	}
	return err
}

// reconnect replaces the connection. SQLite rolls back the open transaction of the old one, and
// removes its -wal and -shm.
func (d *database) reconnect() error {
	if err := d.check(); err != nil { // recordFiles below must not adopt the files of somebody else
		return err
	}
	conn, err := d.sql.Conn(context.Background())
	if err != nil {
		return err
	}
	// The pool closes a connection with this error, and prepares the statements on the next one.
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	defer d.recordFiles()
	return d.sql.Ping()
}
