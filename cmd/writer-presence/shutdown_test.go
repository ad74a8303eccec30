package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/writer-presence/writer-presence/internal/redistest"
)

func TestAcknowledgedUpdatesSurviveSIGKILLUnderLoad(t *testing.T) { // invariants 6 and 8
	const writers, kills = 24, 3
	data := redistest.MemoryDir(t) // not on a disk so busy that commits take more than 2 s
	var version uint64
	// sent has, of each writer, the last section that was acknowledged as durable, and those that were sent after it.
	sent := make([][]string, writers)
	for round := range kills {
		s := startServer(t, "--dev", "--data", data)
		tokens := make([]string, writers)
		for i := range tokens {
			tokens[i] = s.token(fmt.Sprintf("Writer %d", i))
		}
		// Each writer sends updates one after the other until the server is killed.
		var mu sync.Mutex
		answers, durable, enough := 0, 0, make(chan struct{})
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				for n := 1; ; n++ {
					section := fmt.Sprintf("round-%d/step-%d", round, n)
					sent[i] = append(sent[i], section)
					var reply updateReply
					body := fmt.Sprintf(`{"section": %q, "session": "round-%d", "seq": %d, "saved": {"section": "draft-%d", "revision": %[1]q}}`, section, round, n, i)
					if s.post("project/p/presence/update/", tokens[i], body, &reply) != 200 {
						return
					}
					if reply.Durable != nil && *reply.Durable {
						t.Error("durable is true in a reply; want it left out while the disk works")
					}
					mu.Lock()
					if reply.Durable == nil {
						sent[i] = []string{section}
						version = max(version, reply.Version)
						durable++
					}
					if answers++; answers == 30*writers {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		s.kill()
		all.Wait()
		if durable*2 < answers {
			t.Errorf("round %d: %d of %d replies are durable; want most of them", round, durable, answers)
		}

		s = startServer(t, "--dev", "--data", data)
		reader := s.token("Reader")
		l, _ := s.list(reader)
		for i := range writers {
			sections := l.sections(fmt.Sprintf("Writer %d", i))
			if !slices.ContainsFunc(sections, func(section string) bool { return slices.Contains(sent[i], section) }) {
				t.Errorf("round %d: after the kill writer %d is in %q; want one of %q, the first of which was acknowledged", round, i, sections, sent[i])
			}
			if revision := l.revision(fmt.Sprint("draft-", i)); !slices.Contains(sent[i], revision) {
				t.Errorf("round %d: after the kill the save of writer %d is %q; want one of %q, the first of which was acknowledged", round, i, revision, sent[i])
			}
		}
		var reply updateReply
		s.post("project/p/presence/update/", reader, `{"section": "a"}`, &reply)
		if reply.Version <= version {
			t.Errorf("round %d: the version went from %d to %d", round, version, reply.Version)
		}
		s.kill()
	}
}

func TestSIGTERMClosesTheJournalAndKeepsPresence(t *testing.T) {
	data := t.TempDir()
	s := startServer(t, "--dev", "--data", data)
	token := s.token("Alice")
	s.post("project/p/presence/update/", token, `{"section": "a"}`, &updateReply{})
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.wait()
	if _, err := os.Stat(filepath.Join(data, "presence.db-wal")); !os.IsNotExist(err) {
		t.Errorf("the journal's -wal file is still there, %v; want it closed", err)
	}
	s = startServer(t, "--dev", "--data", data)
	if l, _ := s.list(token); !slices.Equal(l.sections("Alice"), []string{"a"}) {
		t.Errorf("after the restart Alice is in %q; want a", l.sections("Alice"))
	}
}
