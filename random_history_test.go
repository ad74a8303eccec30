package presence_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	presence "github.com/writer-presence/writer-presence"
)

// history sends the same messages to a roster and to the oracle, and compares what they say.
type history struct {
	*rapid.T
	o *oracle
	r *presence.Roster

	version uint64
	lines   []string
	saves   []presence.Save
	moved   uint64 // the version of the newest move

	// maxEnds is the number of ends that the roster keeps; ended has the names of all tabs of a user that
	// ever ended.
	maxEnds int
	ended   map[presence.UserID]map[string]bool
	// stored has the saves that a store would have.
	stored map[presence.Section]presence.Save
}

// mayReject reports whether the roster may have dropped an end of any user, so that it may reject a
// numbered message of an unknown tab.
func (h *history) mayReject() bool {
	for _, e := range h.o.ends {
		if h.ended[e.user] == nil {
			h.ended[e.user] = map[string]bool{}
		}
		h.ended[e.user][e.name] = true
	}
	for _, names := range h.ended {
		if len(names) > h.maxEnds {
			return true
		}
	}
	return false
}

func (h *history) same(what string, got, want []string) {
	h.Helper()
	if !slices.Equal(got, want) {
		h.Fatalf("%s:\n  %s\nwant:\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// compare compares all that is visible. The version must have grown if and only if something changed.
func (h *history) compare() {
	h.Helper()
	s := h.r.Snapshot(h.o.now)
	lines := occupantLines(s.Occupants)
	h.same("listed", lines, h.o.list())
	for _, occupant := range s.Occupants {
		var seen time.Time
		for _, t := range h.o.tabsOf(occupant.User.ID) {
			if t.seen.After(seen) {
				seen = t.seen
			}
		}
		if occupant.LastSeen.Add(time.Second).Before(seen) && h.o.now.Sub(seen) >= time.Second || occupant.LastSeen.After(h.o.now) {
			h.Fatalf("%s was last seen at %v; want %v, at most a second earlier", occupant.User.Name, occupant.LastSeen, seen)
		}
	}
	var saves []presence.Save
	for _, save := range s.Saves {
		saves = append(saves, *save)
	}
	if want := h.o.sortedSaves(); !slices.Equal(saves, want) {
		h.Fatalf("%d saves %v;\nwant %d saves %v", len(saves), saves, len(want), want)
	}
	moved := h.moved
	for i, m := range s.Moves {
		if moved = max(moved, m.Version); i >= len(h.o.moves) || *m != h.o.moves[i] {
			h.Fatalf("move %d is %+v; want %+v", i, *m, h.o.moves)
		}
	}
	if len(s.Moves) != len(h.o.moves) {
		h.Fatalf("%d moves; want %+v", len(s.Moves), h.o.moves)
	}
	same := slices.Equal(lines, h.lines) && slices.Equal(saves, h.saves) && moved == h.moved
	if same && s.Version != h.version || !same && s.Version <= h.version || s.Count != len(lines) {
		h.Fatalf("version %d after %d with count %d, while the list goes from %q to %q, and %d saves become %d", s.Version, h.version, s.Count, h.lines, lines, len(h.saves), len(saves))
	}
	h.version, h.lines, h.saves, h.moved = s.Version, lines, saves, moved
	for _, save := range h.r.UnwrittenSaves() {
		if h.stored[save.Section] = save; save.Revision == "" {
			delete(h.stored, save.Section)
		}
	}
}

func (h *history) update(user presence.User, u presence.Update) {
	h.Helper()
	reply, changed, err := h.r.Update(h.o.now, user, u)
	if h.mayReject() && u.Seq != 0 && (err == presence.ErrTooManyChanges || reply.Stale) {
		return // it may be older than an end that was dropped
	}
	want := h.o.update(user, u)
	if !errors.Is(err, want.err) || want.err == nil && err != nil {
		h.Fatalf("the update is answered %v; want %v", err, want.err)
	}
	if err != nil {
		return
	}
	if reply.Stale != want.stale || changed != want.changed || reply.Activity != want.activity {
		h.Fatalf("the update is stale %v, changed %v, %q; want %v, %v, %q", reply.Stale, changed, reply.Activity, want.stale, want.changed, want.activity)
	}
	h.same("conflicts", occupantLines(reply.Conflicts), want.conflicts)
	you := occupantLine(&presence.Occupant{User: user, Activity: presence.Viewing})
	if tabs := h.o.tabsOf(user.ID); len(tabs) > 0 {
		you = h.o.line(tabs[0].user)
	}
	h.same("you", []string{occupantLine(reply.You)}, []string{you})
	if polled := u.Poll && u.Known != reply.Version; (reply.Snapshot != nil) != polled || polled && reply.Snapshot.Version != reply.Version {
		h.Fatalf("the reply at version %d to a poll %v that knows %d has the snapshot %+v", reply.Version, u.Poll, u.Known, reply.Snapshot)
	}
}

func (h *history) move(from, to presence.Section) {
	h.Helper()
	empty, fits := h.o.isEmpty() || from == to, h.o.canMove(from, to)
	move, err := h.r.Move(h.o.now, from, to)
	if (err != nil) != (!empty && !fits) || (move != nil) != (!empty && fits) {
		h.Fatalf("the move from %q to %q is %+v, %v; want one %v, an error %v", from, to, move, err, !empty && fits, !empty && !fits)
	}
	if move != nil {
		h.o.move(from, to, move.Version)
	}
}

// save records a save of the host.
func (h *history) save(user presence.User, saved presence.Saved) {
	h.Helper()
	want := !slices.ContainsFunc(h.o.saves, func(s presence.Save) bool { return s.Saved == saved && s.User == user.ID })
	if changed := h.r.Save(h.o.now, user, saved); changed != want {
		h.Fatalf("the save is new: %v; want %v", changed, want)
	}
	if want {
		h.o.save(presence.Save{Saved: saved, User: user.ID, Name: user.Name, At: h.o.now})
	}
}

func (h *history) leave(user presence.User, l presence.Leave) {
	h.Helper()
	if h.mayReject() && isUnguessable(l.Session) && l.Seq != 0 {
		return // whether it ends another identity's tab depends on the ends that were dropped
	}
	reply, changed := h.r.Leave(h.o.now, user, l)
	if h.mayReject() && reply.Stale && l.Seq != 0 {
		return // as in update
	}
	want := h.o.leave(user, l)
	if (reply.Stale != want.stale || changed != want.changed) && !h.mayReject() {
		h.Fatalf("the leave is stale %v, changed %v; want %v, %v", reply.Stale, changed, want.stale, want.changed)
	}
}

// remove removes a user, or everybody. The version grows in any case.
func (h *history) remove(removal presence.Removal) {
	h.Helper()
	reply, err := h.r.Remove(h.o.now, removal)
	s := h.r.Snapshot(h.o.now)
	if err != nil || s.Version != reply.Version || s.Version <= h.version || !s.RemovedSince(h.version, removal.User) {
		h.Fatalf("the removal is answered %+v, %v after version %d; the snapshot has version %d and %+v", reply, err, h.version, s.Version, s.Removals)
	}
	removal.Version = s.Removals[len(s.Removals)-1].Version
	h.o.remove(removal)
	h.version, h.lines, h.saves = s.Version, h.o.list(), h.o.sortedSaves()
}

// restart replaces the roster by one that is restored from its records.
func (h *history) restart() {
	records := h.r.AllRecords()
	slices.SortFunc(records, presence.Record.Compare)
	restarted := presence.NewRoster(presence.DefaultLease, h.r.Clock())
	restarted.KeepEnds(h.maxEnds)
	for _, record := range records {
		restarted.Restore(h.o.now, record)
	}
	for _, save := range h.stored {
		restarted.RestoreSave(save)
	}
	for _, m := range h.o.moves {
		restarted.RestoreMove(m)
	}
	inForce := slices.SortedFunc(maps.Values(h.o.removals), func(a, b oracleRemoval) int { return cmp.Compare(a.Version, b.Version) })
	for _, r := range inForce {
		if delete(h.o.removals, r.User); r.Until.After(h.o.now) {
			restarted.RestoreRemoval(r.Removal)
			h.o.removals[r.User] = oracleRemoval{r.Removal, r.Until}
		}
	}
	h.o.restart()
	h.r, h.version = restarted, restarted.Version()
	h.lines, h.saves = h.o.list(), h.o.sortedSaves()
	if n := len(restarted.UnwrittenSaves()); n > 0 {
		h.Fatalf("%d restored saves are unwritten", n)
	}
}

// forget replaces the roster by a new one if it is empty, as a store does.
func (h *history) forget() {
	empty := h.r.Forget(h.o.now)
	if want := h.o.isEmpty() && !h.o.hasRemovals(); empty != want && !h.mayReject() {
		h.Fatalf("the roster is empty: %v; want %v", empty, want)
	}
	expiry, expires := h.r.NextExpiry()
	forget, forgets := h.r.NextForget()
	if !empty && !expires && !forgets {
		h.Fatalf("the roster holds something, but neither NextExpiry nor NextForget has a time")
	}
	if past := h.o.now.Add(-time.Millisecond); expires && expiry.Before(past) || forgets && forget.Before(past) { // moves have milliseconds
		h.Fatalf("at %v, NextExpiry is %v and NextForget %v; want neither in the past", h.o.now, expiry, forget)
	}
	if empty && h.o.isEmpty() && !h.o.hasRemovals() {
		h.r = presence.NewRoster(presence.DefaultLease, h.r.Clock())
		h.r.KeepEnds(h.maxEnds)
		h.version = h.r.Version()
	}
}

// fill reports saves of so many sections that few more reach the limit.
func (h *history) fill() {
	user := presence.User{ID: "1", Name: "Alice"}
	for i := range rapid.IntRange(presence.MaxSaves-4, presence.MaxSaves).Draw(h.T, "saved sections") {
		h.update(user, presence.Update{Saved: presence.Saved{Section: presence.Section(fmt.Sprintf("s%04d", i)), Revision: "0"}})
		if i%7 == 0 {
			h.o.pass(time.Millisecond)
		}
	}
}

// Random users send random messages, repeated, reordered and late, from pages whose identity changes; the
// roster is restarted and forgotten in between. Its replies and lists must be those of the oracle.
func TestRandomHistoriesFollowTheRules(t *testing.T) { // rules 1 to 10, 16 to 20, 23 and 24, invariants 1 to 4 and 8
	rapid.Check(t, func(t *rapid.T) {
		h := &history{
			T: t, o: &oracle{now: time.Date(2025, 11, 3, 17, 0, 0, 0, time.UTC), removals: map[presence.UserID]oracleRemoval{}}, r: presence.NewRoster(presence.DefaultLease, 0),
			maxEnds: rapid.SampledFrom([]int{presence.MaxEnded, presence.MaxEnded, 1, 3}).Draw(t, "ends kept"),
			ended:   map[presence.UserID]map[string]bool{}, stored: map[presence.Section]presence.Save{},
		}
		h.r.KeepEnds(h.maxEnds)
		withSaves := h.maxEnds == presence.MaxEnded // a dropped end would end saves sooner
		if withSaves && rapid.IntRange(0, 9).Draw(t, "many saves") == 0 {
			h.fill()
			h.version, h.lines, h.saves = h.r.Version()-1, nil, nil
		}
		const long = "0123456789abcdef"
		longest := presence.Section(strings.Repeat("l", presence.MaxSection))
		seqs := map[string]uint64{}
		var sent []presence.Update
		sections := rapid.SampledFrom([]presence.Section{"", "a", "b", "a/b"})
		known := []uint64{0}
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			h.o.pass(rapid.SampledFrom([]time.Duration{
				0, 0, 0, time.Second, presence.HiddenGrace, presence.HiddenGrace + 1, presence.BrokenGrace, presence.BrokenGrace + 1, 29 * time.Second,
				time.Minute, presence.DefaultLease, presence.DefaultLease + 1, presence.Finality, presence.Finality + 1,
			}).Draw(t, "passes"))
			h.compare()
			user := rapid.SampledFrom([]presence.User{{ID: "1", Name: "Alice"}, {ID: "2", Name: "bob"}, {ID: "9", Name: "Carol"}, {ID: "10", Name: "carol"}}).Draw(t, "user")
			if rapid.IntRange(0, 7).Draw(t, "renamed") == 0 {
				user.Name, user.Agent, user.AvatarURL = "Bob", rapid.Bool().Draw(t, "agent"), "https://example.org/picture"
			}
			name := rapid.SampledFrom([]string{"", "x", "y", long[1:], long, long + "2"}).Draw(t, "session")
			page := fmt.Sprint(user.ID, " ", name)
			if isUnguessable(name) {
				page = name
			}
			seq := seqs[page] + 1
			if rapid.IntRange(0, 2).Draw(t, "any seq") == 0 {
				seq = rapid.Uint64Range(0, seq+1).Draw(t, "seq")
			}
			seqs[page] = max(seqs[page], seq)
			known = append(known, h.version)
			switch kind := rapid.IntRange(0, 23).Draw(t, "kind"); {
			case kind == 23:
				removal := presence.Removal{User: rapid.SampledFrom([]presence.UserID{user.ID, user.ID, ""}).Draw(t, "removed")}
				if d := rapid.SampledFrom([]time.Duration{0, 0, time.Second, 29 * time.Second, presence.DefaultLease}).Draw(t, "for"); d > 0 {
					removal.Until = h.o.now.Add(d)
				}
				h.remove(removal)
			case kind == 22 && withSaves:
				h.save(user, presence.Saved{Section: rapid.SampledFrom([]presence.Section{"a", "b", "a/b"}).Draw(t, "saved section"), Revision: rapid.SampledFrom([]string{"0", "1"}).Draw(t, "revision")})
			case kind >= 20 && withSaves: // a dropped end would make a roster empty sooner
				h.move(rapid.SampledFrom([]presence.Section{"a", "b", "a/b"}).Draw(t, "from"), rapid.SampledFrom([]presence.Section{"a", "b", "a/b", "c", longest}).Draw(t, "to"))
			case kind == 19:
				if !h.mayReject() { // a store also keeps the ends that a roster drops
					h.restart()
				}
			case kind == 18:
				h.forget()
			case kind == 17:
				for i := range rapid.IntRange(1, presence.MaxSessions).Draw(t, "tabs") {
					h.update(user, presence.Update{Session: fmt.Sprint("tab", i), Section: "c", Activity: presence.Viewing})
				}
			case kind >= 12 && kind < 17:
				h.leave(user, presence.Leave{
					Session: name, Seq: seq, Hidden: rapid.Bool().Draw(t, "hidden"), OnlyLiving: rapid.Bool().Draw(t, "only living"),
					Broken:     rapid.IntRange(0, 3).Draw(t, "broken") == 0,
					Connection: rapid.SampledFrom([]uint64{0, 0, 1, 2}).Draw(t, "connection"),
				})
			default:
				u := presence.Update{
					Section:        sections.Draw(t, "section"),
					Activity:       rapid.SampledFrom([]presence.Activity{"", presence.Editing, presence.Viewing, presence.Idle}).Draw(t, "activity"),
					Unsaved:        rapid.IntRange(0, 2).Draw(t, "unsaved") == 0,
					WaitingFor:     sections.Draw(t, "waits for"),
					UnlessOccupied: rapid.Bool().Draw(t, "unless occupied"),
					OnlyRenew:      rapid.IntRange(0, 5).Draw(t, "only renew") == 0,
				}
				if section := rapid.SampledFrom([]presence.Section{"", "", "a", "b", "s0002", "t"}).Draw(t, "saved"); withSaves && section != "" {
					u.Saved = presence.Saved{Section: section, Revision: rapid.SampledFrom([]string{"0", "1"}).Draw(t, "revision")}
				}
				if len(sent) > 0 && rapid.IntRange(0, 2).Draw(t, "heartbeat") == 0 {
					u = sent[rapid.IntRange(max(0, len(sent)-3), len(sent)-1).Draw(t, "of")]
				}
				sent = append(sent, u)
				u.Session, u.Seq, u.Connection = name, seq, rapid.Uint64Range(0, 2).Draw(t, "connection")
				u.Poll, u.Known = rapid.Bool().Draw(t, "poll"), known[max(0, len(known)-1-rapid.IntRange(0, 8).Draw(t, "versions behind"))]
				h.update(user, u)
			}
			h.compare()
		}
	})
}
