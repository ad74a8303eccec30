package sqlitestore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func TestEmptyOrMissingDatabaseStopsTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		want  string
	}{
		"an empty file":            {func(path string) error { return os.Truncate(path, 0) }, "it is empty (0 bytes)"},
		"a -wal without the file":  {os.Remove, "presence.db-wal is there"},
		"an empty file and no wal": {func(path string) error { return errors.Join(os.Truncate(path, 0), os.Remove(path+"-wal")) }, "it is empty (0 bytes)"},
	} {
		dir := t.TempDir()
		s, _ := run(t, dir, Options{})
		update(t, s, alice, presence.Update{Section: "a"})
		dir = killed(t, dir)
		path := filepath.Join(dir, fileName)
		if err := c.spoil(path); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "restore a backup") {
			t.Errorf("%s: Open: got %v, want an error with %q and what to do", name, err, c.want)
		}
		if info, err := os.Stat(path); err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the start changed the file: %v, %v", name, info, err)
		}
	}
}

func TestStartContinuesAfterKillDuringFirstStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName+".new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := run(t, dir, Options{})
	if !update(t, s, alice, presence.Update{}).Durable {
		t.Error("first update: got not durable, want durable")
	}
}

// flipped writes a database with one bit flipped into a new directory.
func flipped(t *testing.T, data []byte, bit int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	data = bytes.Clone(data)
	data[bit/8] ^= 1 << (bit % 8)
	if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFlippedBitStopsTheStartOrChangesNobody(t *testing.T) {
	dir := t.TempDir()
	s, stop := run(t, dir, Options{})
	for i := range 40 {
		user := presence.User{ID: presence.UserID(fmt.Sprint("user-", i)), Name: fmt.Sprint("Writer ", i)}
		update(t, s, user, presence.Update{Session: fmt.Sprint("session-", i), Seq: 1, Section: "manuscript/abstract", Unsaved: i%2 == 1, WaitingFor: "manuscript/methods",
			Saved: presence.Saved{Section: presence.Section(fmt.Sprint("saved-section-", i)), Revision: fmt.Sprint("revision-", i)}})
	}
	show := func(s *Store) string { return strings.Join(shown(t, s), "\n") }
	want := show(s)
	stop()
	for name, c := range map[string]struct {
		dir, session string
		step, least  int // between flips of bits in rows, and how many stop the start at least
	}{
		"table": {replayed(t, dir), "user-25session-25", 11, 120},
		"log":   {dir, "user-25\x0asession-25", 53, 20},
	} {
		data, err := os.ReadFile(filepath.Join(c.dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		var bits []int
		for _, row := range []string{c.session, "saved-section-25revision-25"} {
			found := false
			for at := range data { // a page may have a free copy of the row
				if bytes.HasPrefix(data[at:], []byte(row)) {
					found = true
					for bit := (at - 24) * 8; bit < (at+80)*8; bit += c.step {
						bits = append(bits, bit)
					}
				}
			}
			if !found {
				t.Fatalf("%s: there is no row with %q in the file", name, row)
			}
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 440 / c.step {
			bits = append(bits, random.IntN(len(data)*8))
		}
		refused := 0
		for _, bit := range bits {
			s, err := Open(flipped(t, data, bit), Options{})
			if err != nil {
				refused++
				continue
			}
			if got := show(s); got != want {
				t.Errorf("%s: bit %d of byte %d flipped: got\n%swant\n%s", name, bit%8, bit/8, got, want)
			}
			s.db.close()
		}
		if refused < c.least {
			t.Errorf("%s: got %d of %d flips that stop the start, want at least %d", name, refused, len(bits), c.least)
		}
	}
}

func TestFlippedBitInWALIsReported(t *testing.T) {
	dir := t.TempDir()
	s, _ := run(t, dir, Options{})
	for i := range 20 {
		update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}, presence.Update{Session: "x", Seq: 1, Section: "a"})
	}
	left := killed(t, dir)
	lock, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	database, err := os.ReadFile(filepath.Join(left, fileName))
	if err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(filepath.Join(left, fileName+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	start := func(wal, lock []byte) (count int, log string, err error) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{fileName: database, fileName + "-wal": wal, lockFile: lock} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		s, err := Open(dir, Options{Log: slog.New(slog.NewTextHandler(&b, nil))})
		if err != nil {
			return 0, "", err
		}
		defer s.db.close()
		snapshot, err := s.Snapshot(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		return snapshot.Count, b.String(), nil
	}
	if n, log, err := start(wal, lock); n != 20 || strings.Contains(log, "WARN") || err != nil {
		t.Fatalf("unchanged files: got %d users, %v, %s, want 20 and no warning", n, err, log)
	}
	const frame = 24 + 4096
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 40 {
		bit := random.IntN((len(wal) - 3*frame) * 8) // damage in the last frames looks like a kill
		if i < 16 {
			bit = i*16 + i%8 // in the file header
		}
		damaged := bytes.Clone(wal)
		damaged[bit/8] ^= 1 << (bit % 8)
		if n, _, err := start(damaged, lock); n != 20 && (err == nil || !strings.Contains(err.Error(), "damaged")) {
			t.Errorf("bit %d of byte %d flipped: got %d users, %v, want 20 or an error about damage", bit%8, bit/8, n, err)
		}
		if n, log, err := start(damaged, []byte("another start of the machine")); err == nil && n != 20 && !strings.Contains(log, "as after a power failure") {
			t.Errorf("bit %d of byte %d flipped, after a reboot: got %d users without a warning, want a warning", bit%8, bit/8, n)
		}
	}
	for cut := range 5 { // as after a kill during a write
		if _, log, err := start(wal[:len(wal)-cut*1000-1], lock); err != nil || strings.Contains(log, "WARN") {
			t.Errorf("-wal cut by %d bytes: got %v, %s, want a start without a warning", cut*1000+1, err, log)
		}
	}
}

func TestRowsWithoutChecksumAreAccepted(t *testing.T) {
	dir := t.TempDir()
	s, stop := run(t, dir, Options{})
	update(t, s, alice, presence.Update{Section: "a"})
	stop()
	dir = replayed(t, dir)
	change(t, dir, "UPDATE writer_presence SET checksum = 0")
	s, _ = run(t, dir, Options{})
	if got := listed(t, s); got != "Alice" {
		t.Errorf("listed: got %q, want Alice", got)
	}
}

func TestDamagedFileStopsTheStartUnchanged(t *testing.T) {
	sound := t.TempDir()
	s, stop := run(t, sound, Options{})
	for i := range 500 {
		update(t, s, presence.User{ID: presence.UserID(fmt.Sprint(i)), Name: "Writer"}, presence.Update{Section: "a"})
	}
	stop()
	data, err := os.ReadFile(filepath.Join(sound, fileName))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"overwritten": func(data []byte) []byte {
			copy(data[5000:], bytes.Repeat([]byte("damage"), 2000))
			return data
		},
		"no database": func([]byte) []byte { return []byte(strings.Repeat("not a database ", 1000)) },
		"cut":         func(data []byte) []byte { return data[:len(data)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileName)
			damaged := damage(bytes.Clone(data))
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Options{})
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restore a backup") {
				t.Errorf("Open: got %v, want an error with the file's name and what to do", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, damaged) {
				t.Error("the damaged file was changed")
			}
		})
	}
}
