package sqlitestore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

// version3 makes a journal of schema version 3 in a new directory, and then runs statements on it.
func version3(t *testing.T, statements ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	dump, err := os.ReadFile(filepath.Join("testdata", "version3.sql"))
	must(t, err)
	change(t, dir, append([]string{string(dump)}, statements...)...)
	return dir
}

// change runs statements on a journal that no store uses.
func change(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := connect(filepath.Join(dir, fileName))
	must(t, err)
	defer db.Close()
	for _, statement := range statements {
		_, err := db.Exec(statement)
		must(t, err)
	}
}

// shown returns all that the snapshot of a project shows but times, a line for each occupant and save.
func shown(t *testing.T, s *Store) (lines []string) {
	t.Helper()
	snapshot, err := s.Snapshot(t.Context(), "p")
	must(t, err)
	for _, o := range snapshot.Occupants {
		line := fmt.Sprintf("%s %q %s in %v", o.User.ID, o.User.Name, o.Activity, o.Sections)
		if o.User.Visitor {
			line += " visitor"
		}
		if o.User.Agent {
			line += " agent"
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprint(line, " ", o.User.AvatarURL, " ", o.Unsaved, o.WaitingFor)))
	}
	for _, save := range snapshot.Saves {
		lines = append(lines, fmt.Sprintf("%s %s %s %q", save.Section, save.Revision, save.User, save.Name))
	}
	return lines
}

func TestJournalOfSchemaVersion3IsUpgraded(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := version3(t)
		s, _ := run(t, dir, Options{})
		want := []string{
			`1 "Alice" editing in [manuscript/abstract manuscript/methods]  []`,
			`2 "Bob" viewing in [manuscript/results]  []`,
			`visitor-3 "Čeněk 🖊" viewing in [] visitor  []`,
		}
		if got := shown(t, s); !slices.Equal(got, want) {
			t.Fatalf("after the upgrade: got\n%q, want\n%q", got, want)
		}
		dora := presence.User{ID: "4", Name: "Dora"}
		if reply := update(t, s, dora, presence.Update{Session: "z", Seq: 4, Section: "a"}); !reply.Stale {
			t.Error("an older update of a session that ended before the upgrade: got not stale, want stale")
		}
		bot := presence.User{ID: "2", Name: "Bob", Agent: true, AvatarURL: "https://example.org/bob.png"}
		reply := update(t, s, bot, presence.Update{Session: "y", Seq: 2, Section: "manuscript/results", Unsaved: true, WaitingFor: "manuscript/abstract",
			Saved: presence.Saved{Section: "manuscript/results", Revision: "r7"}})
		if !reply.Durable {
			t.Error("a change after the upgrade: got not durable, want durable")
		}
		want[1] = `2 "Bob" editing in [manuscript/results] agent https://example.org/bob.png [manuscript/results]manuscript/abstract`
		want = append(want, `manuscript/results r7 2 "Bob"`)
		again, _ := run(t, killed(t, dir), Options{})
		if got := shown(t, again); !slices.Equal(got, want) {
			t.Errorf("after the upgrade, a change and a kill: got\n%q, want\n%q", got, want)
		}
	})
}

func TestChecksumsOfSchemaVersion3AreStillChecked(t *testing.T) {
	in(t, func(t *testing.T) {
		for _, flip := range []string{"seq = 4", "current_section = 'manuscript/abstracu'", "visitor = 1", "is_active = 0"} {
			dir := version3(t, "UPDATE writer_presence SET "+flip+" WHERE session = '0123456789abcdef'")
			if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "checksum") {
				t.Errorf("a row of the older version with %s: Open got %v, want an error about a checksum", flip, err)
			}
		}
		for _, flip := range []string{"unsaved = 1", "agent = 1", "waiting_for = 'a'", "avatar_url = 'https://a'"} {
			dir := version3(t)
			s, err := Open(dir, Options{}) // upgrades
			must(t, err)
			s.db.close()
			change(t, dir, "UPDATE writer_presence SET "+flip+" WHERE session = '0123456789abcdef'")
			if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "checksum") {
				t.Errorf("an upgraded row with %s: Open got %v, want an error about a checksum", flip, err)
			}
		}
	})
}

// The columns are those that the database has, so a column that the checksum forgets fails here.
func TestChecksumsCoverEveryColumn(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		agent := presence.User{ID: "1", Name: "Alice", Visitor: false, Agent: true, AvatarURL: "https://example.org/a.png"}
		update(t, s, agent, presence.Update{Session: "x", Seq: 2, Section: "a", Unsaved: true, WaitingFor: "b", Saved: presence.Saved{Section: "a", Revision: "r"}})
		_, err := s.Move(t.Context(), "p", "c", "d")
		must(t, err)
		withLog, dir := killed(t, dir), replayed(t, dir)
		tables := map[string]int{}
		db, err := connect(filepath.Join(dir, fileName))
		must(t, err)
		defer db.Close() // the last connection to close would remove the -wal
		var updates []string
		columns, err := db.Query(`SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.name IN ('writer_presence', 'writer_presence_saves', 'writer_presence_moves', 'writer_presence_log')`)
		must(t, err)
		defer columns.Close()
		for columns.Next() {
			var table, column, kind string
			must(t, columns.Scan(&table, &column, &kind))
			tables[table]++
			other := column + " || 'x'"
			switch {
			case column == "id":
				other = "id + 10000" // free for all rows
			case kind == "INTEGER":
				other = fmt.Sprintf("CASE %s WHEN 1 THEN 0 ELSE %[1]s + 1 END", column) // 0 and 1 are the values of flags
			}
			updates = append(updates, fmt.Sprintf("UPDATE %s SET %s = %s", table, column, other))
		}
		must(t, columns.Err())
		if tables["writer_presence"] < 16 || tables["writer_presence_saves"] < 7 || tables["writer_presence_moves"] < 5 || tables["writer_presence_log"] < 4 {
			t.Fatalf("columns: got %v, want at least 16, 7, 5 and 4", tables)
		}
		for _, update := range updates {
			from := dir
			if strings.HasPrefix(update, "UPDATE writer_presence_log ") {
				from = withLog
			}
			dir := killed(t, from)
			change(t, dir, update)
			if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "checksum") {
				t.Errorf("%s: Open got %v, want an error about a checksum", update, err)
			}
		}
	})
}
