package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
)

func TestAcknowledgedUpdatesSurviveSIGKILLUnderLoad(t *testing.T) { // invariants 6 and 8
	const writers, kills = 24, 3
	data := t.TempDir()
	var version uint64
	for round := range kills {
		s := startServer(t, "--dev", "--data", data)
		tokens := make([]string, writers)
		for i := range tokens {
			tokens[i] = s.token(fmt.Sprintf("Writer %d", i))
		}
		// Each writer sends updates one after the other until the server is killed. sent has the last section that it
		// sent, acknowledged the last one for which it got an answer.
		sent, acknowledged := make([]string, writers), make([]string, writers)
		var mu sync.Mutex
		answers, enough := 0, make(chan struct{})
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				for n := 1; ; n++ {
					sent[i] = fmt.Sprintf("round-%d/step-%d", round, n)
					var reply updateReply
					body := fmt.Sprintf(`{"section": %q, "session": "round-%d", "seq": %d, "saved": {"section": "draft-%d", "revision": %[1]q}}`, sent[i], round, n, i)
					if s.post("project/p/presence/update/", tokens[i], body, &reply) != 200 {
						return
					}
					if reply.Durable != nil {
						t.Errorf("durable is %v in a reply; want it left out while the disk works", *reply.Durable)
					}
					acknowledged[i] = sent[i]
					mu.Lock()
					version = max(version, reply.Version)
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

		s = startServer(t, "--dev", "--data", data)
		reader := s.token("Reader")
		l, _ := s.list(reader)
		for i := range writers {
			sections := l.sections(fmt.Sprintf("Writer %d", i))
			if !slices.Contains(sections, acknowledged[i]) && !slices.Contains(sections, sent[i]) {
				t.Errorf("round %d: after the kill writer %d is in %q; want %s, which was acknowledged, or %s, which was sent", round, i, sections, acknowledged[i], sent[i])
			}
			if revision := l.revision(fmt.Sprint("draft-", i)); revision != acknowledged[i] && revision != sent[i] {
				t.Errorf("round %d: after the kill the save of writer %d is %q; want %s, which was acknowledged, or %s, which was sent", round, i, revision, acknowledged[i], sent[i])
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
