package sqlitestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestAnEmptyFileOrALostDatabaseStopsTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		due   string
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
		if err == nil || !strings.Contains(err.Error(), c.due) || !strings.Contains(err.Error(), "restore a backup") {
			t.Errorf("%s: the start says %v; due: an error that has %q and says what to do", name, err, c.due)
		}
		if info, err := os.Stat(path); err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the start changed the file: %v, %v", name, info, err)
		}
	}
}

func TestAStartThatWasKilledEarlyIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName+".new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := run(t, dir, Options{})
	if !update(t, s, alice, presence.Update{}).Durable {
		t.Error("the first update is not durable")
	}
}

// flipped copies a directory with one bit of its database flipped.
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

func TestAFlippedBitNeverStartsWithSomebodyMissingOrChanged(t *testing.T) {
	dir := t.TempDir()
	s, stop := run(t, dir, Options{})
	for i := range 40 {
		user := presence.User{ID: presence.UserID(fmt.Sprint("user-", i)), Name: fmt.Sprint("Writer ", i)}
		update(t, s, user, presence.Update{Session: fmt.Sprint("session-", i), Seq: 1, Section: "manuscript/abstract"})
	}
	show := func(s *Store) string {
		snapshot, err := s.Snapshot(context.Background(), "p")
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, o := range snapshot.Occupants {
			fmt.Fprintln(&b, o.User, o.Activity, o.Sections)
		}
		return b.String()
	}
	due := show(s)
	stop()
	data, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	row := bytes.Index(data, []byte("user-25session-25")) // in one row, every bit
	if row < 0 {
		t.Fatal("there is no row of user-25 in the file")
	}
	var bits []int
	for bit := (row - 24) * 8; bit < (row+80)*8; bit += 11 {
		bits = append(bits, bit)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		bits = append(bits, random.IntN(len(data)*8))
	}
	refused := 0
	for _, bit := range bits {
		s, err := Open(flipped(t, data, bit), Options{})
		if err != nil {
			refused++
			continue
		}
		if got := show(s); got != due {
			t.Errorf("with bit %d of byte %d flipped the start lists\n%sdue:\n%s", bit%8, bit/8, got, due)
		}
		s.db.close()
	}
	if refused < 40 {
		t.Errorf("%d of %d flips stopped the start; due: at least 40", refused, len(bits))
	}
}

func TestAFlippedBitInWhatAKilledProcessLeavesIsNoticed(t *testing.T) {
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
		t.Fatalf("what a killed process leaves starts with %d people, %v, %s; due: 20, and no warning", n, err, log)
	}
	const frame = 24 + 4096
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 40 {
		bit := random.IntN((len(wal) - 3*frame) * 8) // of the last frames nothing tells damage from a kill
		if i < 16 {
			bit = i*16 + i%8 // in the header
		}
		damaged := bytes.Clone(wal)
		damaged[bit/8] ^= 1 << (bit % 8)
		if n, _, err := start(damaged, lock); n != 20 && (err == nil || !strings.Contains(err.Error(), "damaged")) {
			t.Errorf("with bit %d of byte %d flipped the start gives %d people, %v; due: 20, or that it is damaged", bit%8, bit/8, n, err)
		}
		if n, log, err := start(damaged, []byte("another start of the machine")); err == nil && n != 20 && !strings.Contains(log, "as after a power failure") {
			t.Errorf("with bit %d of byte %d flipped, after a restart of the machine, %d people are listed without a warning", bit%8, bit/8, n)
		}
	}
	for cut := range 5 { // a kill while a frame is written
		if _, log, err := start(wal[:len(wal)-cut*1000-1], lock); err != nil || strings.Contains(log, "WARN") {
			t.Errorf("a -wal that was cut by %d bytes at its end: %v, %s; due: a start without a warning", cut*1000+1, err, log)
		}
	}
}

func TestRowsOfAnOlderVersionHaveNoChecksumAndAreTakenIn(t *testing.T) {
	dir := t.TempDir()
	s, stop := run(t, dir, Options{})
	update(t, s, alice, presence.Update{Section: "a"})
	if _, err := s.db.sql.Exec("UPDATE writer_presence SET checksum = 0"); err != nil {
		t.Fatal(err)
	}
	stop()
	s, _ = run(t, dir, Options{})
	if got := listed(t, s); got != "Alice" {
		t.Errorf("%q are listed; due: Alice", got)
	}
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// whileRunning starts a store with Alice in it, spoils its files, and gives the store, its
// directory and its log.
func whileRunning(t *testing.T, spoil func(path string) error) (s *Store, dir string, log *logged) {
	t.Helper()
	dir, log = filepath.Join(t.TempDir(), "data"), &logged{}
	s, _ = run(t, dir, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	update(t, s, alice, presence.Update{Session: "x", Seq: 1, Section: "a"})
	update(t, s, bob, presence.Update{Session: "y", Seq: 1, Section: "b"})
	if _, err := s.Leave(t.Context(), "p", bob, presence.Leave{Session: "y", Seq: 2}); err != nil {
		t.Fatal(err)
	}
	if err := spoil(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	return s, dir, log
}

func TestFilesThatAreRemovedWhileRunningAreNoticedAndWrittenAnew(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"all files": func(path string) error {
			return errors.Join(os.Remove(path), os.Remove(path+"-wal"), os.Remove(path+"-shm"), os.Remove(filepath.Join(filepath.Dir(path), lockFile)))
		},
		"the database":                        os.Remove,
		"the -wal":                            func(path string) error { return os.Remove(path + "-wal") },
		"the -shm":                            func(path string) error { return os.Remove(path + "-shm") },
		"the database, cut to nothing":        func(path string) error { return os.Truncate(path, 0) },
		"the database, cut to its first page": func(path string) error { return os.Truncate(path, 4096) },
		"the -wal, cut to nothing":            func(path string) error { return os.Truncate(path+"-wal", 0) },
		"the database, overwritten":           func(path string) error { return os.WriteFile(path, []byte("something else"), 0o600) },
		"renamed away":                        func(path string) error { return os.Rename(path, path+".bak") },
		"the directory, anew": func(path string) error {
			dir := filepath.Dir(path)
			return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
		},
	} {
		in(t, func(t *testing.T) {
			s, dir, log := whileRunning(t, spoil)
			if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 2, Section: "b"}); reply.Durable {
				t.Errorf("%s: a change is durable right after the files were removed", name)
			}
			if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) {
				t.Errorf("%s: Ready is %v; due: degraded", name, err)
			}
			time.Sleep(2 * retryEvery)
			synctest.Wait()
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("%s: the store does not recover: %v", name, err)
			}
			if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 3, Section: "b"}); !reply.Durable {
				t.Errorf("%s: a renewal is not durable after the files were written anew", name)
			}
			if reply := update(t, s, presence.User{ID: "3", Name: "Carol"}, presence.Update{Session: "z", Seq: 1, Section: "b"}); !reply.Durable {
				t.Errorf("%s: a change is not durable after the files were written anew", name)
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "is written again") {
				t.Errorf("%s: the log has %d errors; due: one when it was noticed, and a word when all is well:\n%s", name, n, log)
			}
			again, _ := run(t, killed(t, dir), Options{})
			if got := listed(t, again); got != "Alice, Carol" {
				t.Errorf("%s: after a kill %q are listed; due: Alice, Carol", name, got)
			}
			if reply := update(t, again, bob, presence.Update{Session: "y", Seq: 1, Section: "b"}); !reply.Stale {
				t.Errorf("%s: after a kill an older message undoes the leave of Bob", name)
			}
		})
	}
}

func TestFilesThatAreRemovedAreNoticedThoughNothingChanges(t *testing.T) {
	in(t, func(t *testing.T) {
		s, dir, _ := whileRunning(t, os.Remove)
		time.Sleep(checkEvery + retryEvery + time.Second)
		synctest.Wait()
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if n := rows(t, dir, "is_active = 1"); n != 1 {
			t.Errorf("the new file has %d living sessions; due: 1", n)
		}
	})
}

func TestAFileThatSomebodyPutInPlaceIsNeverOverwritten(t *testing.T) {
	for _, suffix := range []string{"", "-wal"} {
		in(t, func(t *testing.T) {
			theirs := []byte("a backup that was restored")
			var replaced string
			s, _, log := whileRunning(t, func(path string) error {
				replaced = path + suffix
				return errors.Join(os.Remove(replaced), os.WriteFile(replaced, theirs, 0o600))
			})
			for seq := range uint64(3) {
				if reply := update(t, s, alice, presence.Update{Session: "x", Seq: seq + 2, Section: "b"}); reply.Durable {
					t.Errorf("message %d is durable though %s is somebody else's", seq+2, replaced)
				}
				time.Sleep(2 * retryEvery)
				synctest.Wait()
			}
			if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) || !strings.Contains(err.Error(), "move the new one away") {
				t.Errorf("Ready is %v; due: degraded, and what to do", err)
			}
			if after, err := os.ReadFile(replaced); !bytes.Equal(after, theirs) {
				t.Errorf("%s was changed: %q, %v", replaced, after, err)
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("the log has %d errors; due: 1:\n%s", n, log)
			}
			if err := os.Remove(replaced); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * retryEvery)
			synctest.Wait()
			if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 9, Section: "c"}); !reply.Durable {
				t.Error("the file was moved away, and changes are still not durable")
			}
		})
	}
}

func TestADirectoryThatIsGoneSaysWhatToDo(t *testing.T) {
	in(t, func(t *testing.T) {
		s, dir, _ := whileRunning(t, func(path string) error { return os.RemoveAll(filepath.Dir(path)) })
		time.Sleep(3 * retryEvery)
		synctest.Wait()
		if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) || !strings.Contains(err.Error(), "make it again") {
			t.Errorf("Ready is %v; due: degraded, and what to do", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if reply := update(t, s, alice, presence.Update{Session: "x", Seq: 9, Section: "c"}); !reply.Durable {
			t.Error("the directory is there again, and changes are still not durable")
		}
	})
}

func TestAnotherProcessThatTookTheDirectoryOverKeepsIt(t *testing.T) {
	in(t, func(t *testing.T) {
		s, dir, _ := whileRunning(t, func(path string) error { return os.Remove(filepath.Join(filepath.Dir(path), lockFile)) })
		other, err := lockDir(dir) // before this process looks
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * retryEvery)
		synctest.Wait()
		if err := s.Ready(t.Context()); !errors.Is(err, presence.ErrDegraded) || !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("Ready is %v; due: degraded, since another process has the directory", err)
		}
		other.Close()
	})
}
