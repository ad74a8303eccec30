package sqlitestore

import (
	"database/sql"
	"strings"
)

// maxRows is the largest number of rows of one statement; a power of two.
const maxRows = 64

// upsert inserts rows into a table, or replaces those with the same key. Inserts of many rows exist
// because most of a row's cost is its statement.
type upsert struct {
	columns int
	byRows  map[int]*sql.Stmt // by number of rows
}

// prepareUpsert prepares the statements for a table. They replace whole rows, which takes half as many
// instructions of SQLite's virtual machine as to update them; so columns must be all columns of the table.
func prepareUpsert(prepare func(string) *sql.Stmt, table string, columns ...string) upsert {
	one := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	u := upsert{len(columns), map[int]*sql.Stmt{}}
	for rows := maxRows; rows > 0; rows /= 2 {
		u.byRows[rows] = prepare("INSERT OR REPLACE INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " + one + strings.Repeat(", "+one, rows-1))
	}
	return u
}

// exec writes rows; args are the values of their columns, row after row.
func (u upsert) exec(args []any) error {
	for rows := maxRows; len(args) > 0; {
		if rows > len(args)/u.columns {
			rows /= 2
			continue
		}
		if _, err := u.byRows[rows].Exec(args[:rows*u.columns]...); err != nil {
			return err
		}
		args = args[rows*u.columns:]
	}
	return nil
}
