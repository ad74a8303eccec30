package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	presence "github.com/writer-presence/writer-presence"
)

// randomHistories sends the same random messages to the store and to a roster, and compares the replies
// and lists.
func randomHistories(t *testing.T, s *Subject) { // rules 1, 3 to 9, 18 to 20 and 23, invariants 1 to 4
	history := 0
	// testing.TB hides the Deadline method, which panics in a synctest bubble.
	rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) {
		history++
		where := presence.Project(fmt.Sprintf("history-%d", history))
		roster := presence.NewRoster(s.Lease, 1)
		type tab struct {
			user    presence.UserID
			session string
		}
		seqs := map[tab]uint64{}          // the highest sent
		sent := map[tab]presence.Update{} // the newest
		var version, rosterVersion uint64 // of the last snapshots
		people := 0
		known := [][2]uint64{{}} // versions of the store and of the roster at the same moments; {} for none
		for range rapid.IntRange(1, 40).Draw(t, "messages") {
			// The times stay some grains away from every expiry. The exact moments are tested on
			// the roster.
			pass := rapid.SampledFrom([]time.Duration{0, 0, 4 * s.Grain, presence.HiddenGrace + 4*s.Grain, presence.BrokenGrace + 4*s.Grain, s.Lease * 3 / 8, s.Lease + 4*s.Grain, presence.Finality - 6*s.Grain}).Draw(t, "passes")
			s.Pass(pass)
			now := s.Now()
			user := writer(rapid.IntRange(0, 2).Draw(t, "user"))
			if rapid.IntRange(0, 7).Draw(t, "renamed") == 0 {
				user.Name, user.Visitor = "Another "+user.Name, rapid.Bool().Draw(t, "visitor")
				user.AvatarURL, user.Agent = "https://example.org/picture", rapid.Bool().Draw(t, "agent")
			}
			session := rapid.SampledFrom([]string{"", "x", "y", unguessable, unguessable + "2"}).Draw(t, "session")
			of := tab{user.ID, session}
			if len(session) >= presence.MinUnguessableName {
				of.user = "" // one page, whatever its identity
			}
			seq := seqs[of] + 1
			if rapid.IntRange(0, 3).Draw(t, "numbered at random") == 0 {
				seq = rapid.Uint64Range(0, seq+2).Draw(t, "seq")
			}
			seqs[of] = max(seqs[of], seq)
			section := rapid.SampledFrom([]presence.Section{"", "a", "b", "a/b"})
			switch kind := rapid.IntRange(0, 10).Draw(t, "kind"); {
			case kind == 0:
				from, to := section.Filter(isSome).Draw(t, "from"), rapid.SampledFrom([]presence.Section{"a", "b", "a/b", "c", longest}).Draw(t, "to")
				_, rejection := roster.Move(now, from, to)
				if _, err := s.Move(t.Context(), where, from, to); !errors.Is(err, rejection) || err != nil && rejection == nil {
					t.Fatalf("the move from %q to %q is answered %v; want %v", from, to, err, rejection)
				}
			case kind == 1:
				saved := presence.Saved{Section: section.Filter(isSome).Draw(t, "saved section"), Revision: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "revision")}
				roster.Save(now, user, saved)
				if _, err := s.Save(t.Context(), where, user, saved); err != nil {
					t.Fatal(err)
				}
			case kind == 10:
				removal := presence.Removal{User: rapid.SampledFrom([]presence.UserID{user.ID, user.ID, ""}).Draw(t, "removed")}
				if rapid.Bool().Draw(t, "rejects") {
					removal.Until = now.Add(24 * time.Hour) // longer than a history
				}
				want, _ := roster.Remove(now, removal)
				if got, err := s.Remove(t.Context(), where, removal); err != nil || (got.Version == 0) != (want.Version == 0) {
					t.Fatalf("removal is answered %+v, %v; want %+v", got, err, want)
				}
			case kind < 4:
				l := presence.Leave{Session: session, Seq: seq, Hidden: rapid.Bool().Draw(t, "hidden"), OnlyLiving: rapid.Bool().Draw(t, "only living")}
				l.Broken = rapid.IntRange(0, 3).Draw(t, "broken") == 0
				if l.Broken || rapid.IntRange(0, 3).Draw(t, "lost access") == 0 {
					l.Connection = rapid.Uint64Range(0, 2).Draw(t, "connection")
				}
				want, _ := roster.Leave(now, user, l)
				got, err := s.Leave(t.Context(), where, user, l)
				if err != nil || got.Stale != want.Stale {
					t.Fatalf("leave is answered stale %v, %v; want %v", got.Stale, err, want.Stale)
				}
			default:
				u := presence.Update{
					Session: session, Seq: seq,
					Section:        section.Draw(t, "section"),
					Unsaved:        rapid.IntRange(0, 3).Draw(t, "unsaved") == 0,
					Activity:       rapid.SampledFrom([]presence.Activity{"", presence.Editing, presence.Viewing, presence.Idle}).Draw(t, "activity"),
					UnlessOccupied: rapid.Bool().Draw(t, "unless occupied"),
					OnlyRenew:      rapid.IntRange(0, 3).Draw(t, "only renew") == 0,
					Poll:           rapid.Bool().Draw(t, "poll"),
				}
				if rapid.IntRange(0, 3).Draw(t, "waits") == 0 {
					u.WaitingFor = section.Draw(t, "waits for")
				}
				if saved := section.Draw(t, "saved"); saved != "" && rapid.Bool().Draw(t, "saves") {
					u.Saved = presence.Saved{Section: saved, Revision: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "revision")}
				}
				if last, ok := sent[of]; ok && rapid.Bool().Draw(t, "heartbeat") {
					u = last
					u.Seq = seq
				}
				u.Connection = rapid.Uint64Range(0, 2).Draw(t, "connection")
				sent[of] = u
				as := rapid.SampledFrom(known).Draw(t, "known")
				u.Known = as[1]
				want, _, rejection := roster.Update(now, user, u)
				if errors.Is(rejection, presence.ErrRemoved) { // its time differs a little
					rejection = presence.ErrRemoved
				}
				u.Known = as[0]
				got, err := s.Update(t.Context(), where, user, u)
				if !errors.Is(err, rejection) || err != nil && rejection == nil {
					t.Fatalf("update is answered %v; want %v", err, rejection)
				}
				if rejection == nil && describe(got, now) != describe(want, now) {
					t.Fatalf("update is answered\n  %s\nwant:\n  %s", describe(got, now), describe(want, now))
				}
			}
			snapshot, err := s.Snapshot(t.Context(), where)
			if err != nil {
				t.Fatal(err)
			}
			model := roster.Snapshot(s.Now())
			if seen, want := details(snapshot, s.Now()), details(model, s.Now()); !slices.Equal(seen, want) {
				t.Fatalf("listed:\n  %s\nwant:\n  %s", strings.Join(seen, "\n  "), strings.Join(want, "\n  "))
			}
			differs := (snapshot.Version > version) != (model.Version > rosterVersion)
			if version > 0 && differs && model.Count+people > 0 || snapshot.Version < version { // the version of an empty project may differ at each read
				t.Fatalf("the version goes from %d to %d, while that of the roster goes from %d to %d", version, snapshot.Version, rosterVersion, model.Version)
			}
			version, rosterVersion, people = snapshot.Version, model.Version, model.Count
			if people > 0 { // the versions of an empty project may differ
				known = append(known, [2]uint64{version, rosterVersion})
			}
		}
	})
}

func isSome(section presence.Section) bool { return section != "" }

// longest is a section below which there can be none.
var longest = presence.Section(strings.Repeat("é", presence.MaxSection))

// describe returns what a reply says, without versions and times.
func describe(r presence.Reply, now time.Time) string {
	listed := "no list"
	if r.Snapshot != nil {
		listed = fmt.Sprintf("%q, %d", details(r.Snapshot, now), r.Snapshot.Count)
	}
	you := &presence.Snapshot{Occupants: []*presence.Occupant{r.You}}
	return fmt.Sprintf("stale %v, %q, you %q, conflicts %q, %s", r.Stale, r.Activity, details(you, now), lines(r.Conflicts), listed)
}

// details returns all that a snapshot shows but times and versions, a line for each occupant, save and move. It leaves
// out moves that are about to be dropped: a cached snapshot has them for a few seconds more.
func details(s *presence.Snapshot, now time.Time) []string {
	all := lines(s.Occupants)
	for i, o := range s.Occupants {
		all[i] += fmt.Sprintf(", edits %q, unsaved %q, waits for %q, %q, agent %v", o.Editing, o.Unsaved, o.WaitingFor, o.User.AvatarURL, o.User.Agent)
	}
	for _, save := range s.Saves {
		all = append(all, fmt.Sprintf("%s of %s by %s %q", save.Revision, save.Section, save.User, save.Name))
	}
	for i, line := range moves(s) {
		if now.UnixMilli()-int64(s.Moves[i].Version) < (presence.Finality - 10*time.Second).Milliseconds() {
			all = append(all, line)
		}
	}
	return all
}
