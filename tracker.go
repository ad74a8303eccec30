package presence

import (
	"context"
)

// Tracker is the one door to the presence of all projects: messages from outside are
// checked here, whichever way they came. Its methods may be called at once.
type Tracker struct {
	store Store
}

// NewTracker makes a tracker of what is in the store.
func NewTracker(store Store) *Tracker { return &Tracker{store: store} }

// Update records where a session of the user is, and answers who else is editing
// there at that moment. Repeating a numbered update changes nothing. Besides the
// errors of [Store.Update]: [ErrSectionInvalid], [ErrSectionTooLong],
// [ErrSessionInvalid], [ErrSeqInvalid], [ErrActivityInvalid], and those of [User.Check];
// then nothing was changed.
func (t *Tracker) Update(ctx context.Context, project Project, user User, u Update) (Reply, error) {
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
	return t.store.Update(ctx, project, user, u)
}

// Leave ends a session of the user. Leaving twice, or what was never there, is no
// error. Besides the error of [Store.Leave]: [ErrSessionInvalid], [ErrSeqInvalid], and those
// of [User.Check].
func (t *Tracker) Leave(ctx context.Context, project Project, user User, l Leave) (Reply, error) {
	if err := user.Check(); err != nil {
		return Reply{}, err
	}
	if err := checkSession(l.Session, l.Seq); err != nil {
		return Reply{}, err
	}
	return t.store.Leave(ctx, project, user, l)
}

// Snapshot is all that is visible in the project. Looking renews nothing.
func (t *Tracker) Snapshot(ctx context.Context, project Project) (*Snapshot, error) {
	return t.store.Snapshot(ctx, project)
}

// SnapshotSince is Snapshot for somebody who has seen a version elsewhere: what is older is read
// anew from the data that all processes share. The result is older than known only if that
// data is. Error: [ErrUnavailable].
func (t *Tracker) SnapshotSince(ctx context.Context, project Project, known uint64) (*Snapshot, error) {
	s, err := t.store.Snapshot(ctx, project)
	if err != nil || s.Version >= known {
		return s, err
	}
	return t.store.FreshSnapshot(ctx, project)
}

// Watch has wake called after every visible change of the project, until stop is called;
// see [Store.Watch].
func (t *Tracker) Watch(project Project, wake func()) (stop func()) {
	return t.store.Watch(project, wake)
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
