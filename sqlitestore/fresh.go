package sqlitestore

import (
	"context"

	presence "github.com/writer-presence/writer-presence"
)

// FreshSnapshot implements [presence.Store]. It equals Snapshot, since one process has all the data.
func (s *Store) FreshSnapshot(ctx context.Context, project presence.Project) (*presence.Snapshot, error) {
	return s.Snapshot(ctx, project)
}
