package presence

import (
	"context"
)

// Service is the entry point to the presence of all projects. It checks what callers send before a store
// gets it. Its methods are safe for concurrent use.
type Service struct {
	store Store
}

// NewService returns a service on a store.
func NewService(store Store) *Service { return &Service{store: store} }

// Update records where a session of the user is, and answers who else is editing
// there at that moment. Repeating a numbered update changes nothing. Besides the
// errors of [Store.Update]: [ErrSectionInvalid], [ErrSectionTooLong],
// [ErrSessionInvalid], [ErrSeqInvalid], [ErrActivityInvalid], and those of [User.Check];
// then nothing was changed.
func (s *Service) Update(ctx context.Context, project Project, user User, u Update) (Reply, error) {
	if err := user.Check(); err != nil {
		return Reply{}, err
	}
	if err := checkSession(u.Session, u.Seq); err != nil {
		return Reply{}, err
	}
	if err := u.Section.check(); err != nil {
		return Reply{}, err
	}
	switch u.Activity {
	case "", Editing, Viewing, Idle:
	default:
		return Reply{}, ErrActivityInvalid
	}
	return s.store.Update(ctx, project, user, u)
}

// Leave ends a session of the user. Leaving twice, or what was never there, is no
// error. Besides the error of [Store.Leave]: [ErrSessionInvalid], [ErrSeqInvalid], and those
// of [User.Check].
func (s *Service) Leave(ctx context.Context, project Project, user User, l Leave) (Reply, error) {
	if err := user.Check(); err != nil {
		return Reply{}, err
	}
	if err := checkSession(l.Session, l.Seq); err != nil {
		return Reply{}, err
	}
	return s.store.Leave(ctx, project, user, l)
}

// Snapshot is all that is visible in the project. Looking renews nothing.
func (s *Service) Snapshot(ctx context.Context, project Project) (*Snapshot, error) {
	return s.store.Snapshot(ctx, project)
}

// SnapshotSince is Snapshot for somebody who has seen a version elsewhere: what is older is read
// anew from the data that all processes share. The result is older than known only if that
// data is. Error: [ErrUnavailable].
func (s *Service) SnapshotSince(ctx context.Context, project Project, known uint64) (*Snapshot, error) {
	snapshot, err := s.store.Snapshot(ctx, project)
	if err != nil || snapshot.Version >= known {
		return snapshot, err
	}
	return s.store.FreshSnapshot(ctx, project)
}

// Watch has wake called after every visible change of the project, until stop is called;
// see [Store.Watch].
func (s *Service) Watch(project Project, wake func()) (stop func()) {
	return s.store.Watch(project, wake)
}

func checkSession(name string, seq uint64) error {
	if !isName(name) {
		return ErrSessionInvalid
	}
	if seq > MaxSafe {
		return ErrSeqInvalid
	}
	return nil
}
