package presence

import "testing"

func TestConflictsOfASnapshotLiteralAreAmongItsOccupants(t *testing.T) {
	alice := &Occupant{User: User{ID: "1", Name: "Alice"}, Editing: []Section{"abstract"}}
	s := &Snapshot{Version: 1, Occupants: []*Occupant{alice}, Count: 1}
	if got := s.Conflicts("2", "abstract"); len(got) != 1 || got[0] != alice {
		t.Errorf("another user conflicts with %v; want Alice", got)
	}
	if got := s.Conflicts("1", "abstract"); got != nil {
		t.Errorf("Alice conflicts with %v; want nobody", got)
	}
}
