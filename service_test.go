package presence

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// unreachable is a store that fails the test when it is called.
type unreachable struct{ *testing.T }

func (u unreachable) Update(context.Context, Project, User, Update) (Reply, error) {
	u.Error("Store.Update is called")
	return Reply{}, nil
}

func (u unreachable) Leave(context.Context, Project, User, Leave) (Reply, error) {
	u.Error("Store.Leave is called")
	return Reply{}, nil
}

func (u unreachable) Remove(context.Context, Project, Removal) (Reply, error) {
	u.Error("Store.Remove is called")
	return Reply{}, nil
}

func (u unreachable) Sessions(context.Context, Project) (*Snapshot, []Record, error) {
	u.Error("Store.Sessions is called")
	return nil, nil, nil
}

func (u unreachable) Projects(context.Context, ProjectFilter, string, int) ([]ActiveProject, string, error) {
	u.Error("Store.Projects is called")
	return nil, "", nil
}

func (u unreachable) Move(context.Context, Project, Section, Section) (Reply, error) {
	u.Error("Store.Move is called")
	return Reply{}, nil
}

func (u unreachable) Save(context.Context, Project, User, Saved) (Reply, error) {
	u.Error("Store.Save is called")
	return Reply{}, nil
}

func (u unreachable) FreshSnapshot(context.Context, Project) (*Snapshot, error) {
	u.Error("Store.FreshSnapshot is called")
	return nil, nil
}

func (u unreachable) Snapshot(context.Context, Project) (*Snapshot, error) {
	u.Error("Store.Snapshot is called")
	return nil, nil
}

func (u unreachable) Watch(Project, func()) func() {
	u.Error("Store.Watch is called")
	return func() {}
}

func TestServiceRejectsInvalidMessages(t *testing.T) { // rule 16, invariant 12
	service := NewService(unreachable{t})
	for _, c := range []struct {
		update Update
		want   error
	}{
		{Update{Section: Section(strings.Repeat("x", 101))}, ErrSectionTooLong},
		{Update{Section: Section(strings.Repeat("é", 101))}, ErrSectionTooLong},
		{Update{Section: " "}, ErrSectionInvalid},
		{Update{Section: "/"}, ErrSectionInvalid},
		{Update{Section: "/a"}, ErrSectionInvalid},
		{Update{Section: "a/"}, ErrSectionInvalid},
		{Update{Section: "a//b"}, ErrSectionInvalid},
		{Update{Section: "a\nb"}, ErrSectionInvalid},
		{Update{Section: "a\x00"}, ErrSectionInvalid},
		{Update{Section: "a\u202eb"}, ErrSectionInvalid},
		{Update{Section: "a\u200bb"}, ErrSectionInvalid},
		{Update{Section: "a\xffb"}, ErrSectionInvalid},
		{Update{Section: "a/\u3164"}, ErrSectionInvalid},
		{Update{Section: "\u2800"}, ErrSectionInvalid},
		{Update{Section: "\u200d"}, ErrSectionInvalid},
		{Update{Section: "a\u2063"}, ErrSectionInvalid},
		{Update{Session: "a b"}, ErrSessionInvalid},
		{Update{Session: strings.Repeat("x", 65)}, ErrSessionInvalid},
		{Update{Seq: MaxSafe + 1}, ErrSeqInvalid},
		{Update{Activity: "asleep"}, ErrActivityInvalid},
	} {
		if _, err := service.Update(t.Context(), "p", alice, c.update); !errors.Is(err, c.want) {
			t.Errorf("%.60q: %v; want %v", c.update.Section, err, c.want)
		}
	}
	if _, err := service.Remove(t.Context(), "p", Removal{User: "a\x00"}); !errors.Is(err, ErrUserIDInvalid) {
		t.Errorf("removal: %v; want %v", err, ErrUserIDInvalid)
	}
	if _, err := service.Leave(t.Context(), "p", alice, Leave{Session: "a/b"}); !errors.Is(err, ErrSessionInvalid) {
		t.Errorf("leave: %v; want %v", err, ErrSessionInvalid)
	}
	if _, err := service.Leave(t.Context(), "p", alice, Leave{Seq: MaxSafe + 1}); !errors.Is(err, ErrSeqInvalid) {
		t.Errorf("leave: %v; want %v", err, ErrSeqInvalid)
	}
}

func TestSectionsOfAllScriptsAreValid(t *testing.T) {
	for _, section := range []Section{"", "manuscript/abstract", "Kapitel 1/Über uns", "章/一", "می\u200cخواهم", Section(strings.Repeat("é", 100)), "a.b-c_d/<i>"} {
		if err := section.check(); err != nil {
			t.Errorf("%q: %v", section, err)
		}
	}
}

func TestParseProjectAcceptsUnreservedCharacters(t *testing.T) {
	for id, want := range map[string]error{
		"1": nil, "a.b_c~d-E9": nil, strings.Repeat("x", 64): nil,
		"": ErrProjectInvalid, ".": ErrProjectInvalid, "..": ErrProjectInvalid, "...": nil, strings.Repeat("x", 65): ErrProjectInvalid, "a/b": ErrProjectInvalid, "a b": ErrProjectInvalid, "é": ErrProjectInvalid, "a\n": ErrProjectInvalid,
	} {
		if _, err := ParseProject(id); !errors.Is(err, want) {
			t.Errorf("%.20q: %v; want %v", id, err, want)
		}
	}
}
