package presence

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Service is the entry point to the presence of all projects. It checks what callers send before a store
// gets it. Its methods are safe for concurrent use. Create a Service with [NewService]: without a store its
// methods return [ErrUnavailable].
type Service struct {
	store Store
}

// NewService returns a service on a store.
func NewService(store Store) *Service { return &Service{store: store} }

// errNoStore is the error of a Service without a store.
var errNoStore = fmt.Errorf("%w: this Service has no store; create it with presence.NewService", ErrUnavailable)

// Update records where a session of the user is, and names the other users who claim that section at
// that moment. Repeating a numbered update changes nothing. Errors: those of [Store.Update] and
// [User.Check], [ErrSectionInvalid], [ErrSectionTooLong], [ErrSessionInvalid], [ErrSeqInvalid],
// [ErrActivityInvalid], [ErrRevisionInvalid]. After an invalid argument nothing has changed.
func (s *Service) Update(ctx context.Context, project Project, user User, u Update) (Reply, error) {
	if err := user.Check(); err != nil {
		return Reply{}, err
	}
	if err := checkSession(u.Session, u.Seq); err != nil {
		return Reply{}, err
	}
	if err := cmp.Or(u.Section.check(), u.WaitingFor.check(), u.Saved.check()); err != nil {
		return Reply{}, err
	}
	switch u.Activity {
	case "", Editing, Viewing, Idle:
	default:
		return Reply{}, ErrActivityInvalid
	}
	if s.store == nil {
		return Reply{}, errNoStore
	}
	return s.store.Update(ctx, project, user, u)
}

// Leave ends a session of the user. Repeating it, or ending a session that does not exist, is no
// error. Errors: those of [Store.Leave] and [User.Check], [ErrSessionInvalid], [ErrSeqInvalid].
func (s *Service) Leave(ctx context.Context, project Project, user User, l Leave) (Reply, error) {
	if err := user.Check(); err != nil {
		return Reply{}, err
	}
	if err := checkSession(l.Session, l.Seq); err != nil {
		return Reply{}, err
	}
	if s.store == nil {
		return Reply{}, errNoStore
	}
	return s.store.Leave(ctx, project, user, l)
}

// Move moves a section and all below it to another path, with everybody in it: their pages follow, and nobody is warned;
// see [Roster.Move]. The reply has Version and Durable. Repeating it is safe unless to is below from. Errors:
// [ErrSectionInvalid], [ErrSectionTooLong], also for a path below that would become too long, [ErrUnavailable]. After
// an invalid argument nothing has changed.
func (s *Service) Move(ctx context.Context, project Project, from, to Section) (Reply, error) {
	if from == "" || to == "" {
		return Reply{}, ErrSectionInvalid
	}
	if err := cmp.Or(from.check(), to.check()); err != nil {
		return Reply{}, err
	}
	if s.store == nil {
		return Reply{}, errNoStore
	}
	return s.store.Move(ctx, project, from, to)
}

// Save records a save on behalf of a user, who need not be online (rule 19). The reply has Version and Durable. Repeating
// the newest save of a section changes nothing. Errors: those of [User.Check], [ErrSectionInvalid], [ErrSectionTooLong],
// [ErrRevisionInvalid], [ErrUnavailable]. After an invalid argument nothing has changed.
func (s *Service) Save(ctx context.Context, project Project, user User, saved Saved) (Reply, error) {
	if err := user.Check(); err != nil {
		return Reply{}, err
	}
	if saved.Section == "" {
		return Reply{}, ErrSectionInvalid
	}
	if err := saved.check(); err != nil {
		return Reply{}, err
	}
	if s.store == nil {
		return Reply{}, errNoStore
	}
	return s.store.Save(ctx, project, user, saved)
}

// Remove ends all sessions of a user, or of everybody, in the project, and rejects their updates until removal.Until;
// see [Store.Remove]. Errors: those of [Store.Remove], [ErrUserIDInvalid].
func (s *Service) Remove(ctx context.Context, project Project, removal Removal) (Reply, error) {
	if project != Everywhere && removal.User != "" && !removal.User.isValid() {
		return Reply{}, ErrUserIDInvalid
	}
	if s.store == nil {
		return Reply{}, errNoStore
	}
	return s.store.Remove(ctx, project, removal)
}

// Sessions returns all that is visible in the project, and its living sessions in the order of the users and then of the
// sessions' names. It includes every change that any process made before the call. Error: [ErrUnavailable].
func (s *Service) Sessions(ctx context.Context, project Project) (*Snapshot, []Record, error) {
	if s.store == nil {
		return nil, nil, errNoStore
	}
	snapshot, sessions, err := s.store.Sessions(ctx, project)
	slices.SortFunc(sessions, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.User.sortKey(), b.User.sortKey()), a.User.ID.compare(b.User.ID), cmp.Compare(a.Session, b.Session))
	})
	return snapshot, sessions, err
}

// Projects returns about limit active projects of any process; see [Store.Projects].
func (s *Service) Projects(ctx context.Context, f ProjectFilter, cursor string, limit int) (page []ActiveProject, next string, err error) {
	if s.store == nil {
		return nil, "", errNoStore
	}
	return s.store.Projects(ctx, f, cursor, limit)
}

// Snapshot returns all that is visible in the project; see [Store.Snapshot]. It renews nothing.
// Error: [ErrUnavailable].
func (s *Service) Snapshot(ctx context.Context, project Project) (*Snapshot, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	return s.store.Snapshot(ctx, project)
}

// SnapshotSince returns a snapshot for a caller that has seen the version known, perhaps from another
// process. If the store has only an older snapshot at hand, it reads the shared data again; the result
// is older than known only if the shared data is. Error: [ErrUnavailable].
func (s *Service) SnapshotSince(ctx context.Context, project Project, known uint64) (*Snapshot, error) {
	snapshot, err := s.Snapshot(ctx, project)
	if err != nil || snapshot.Version >= known {
		return snapshot, err
	}
	return s.store.FreshSnapshot(ctx, project)
}

// Watch calls wake after every visible change of the project until stop is called; see [Store.Watch].
func (s *Service) Watch(project Project, wake func()) (stop func()) {
	if s.store == nil {
		return func() {}
	}
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
