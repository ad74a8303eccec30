package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// retryRemovals is how long WatchRemovals waits before it asks a store again that was unavailable.
const retryRemovals = time.Second

// WatchRemovals reads the removals that hold everywhere, now and after each change, until ctx ends. Authenticate rejects
// the users who were removed. It calls changed after each change with the version before.
func (c *Control) WatchRemovals(ctx context.Context, changed func(since uint64)) {
	wake := make(chan struct{}, 1)
	stop := c.Presence.Watch(presence.Everywhere, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	defer stop()
	for ctx.Err() == nil {
		var retry <-chan time.Time
		before := c.RemovalsVersion()
		switch snapshot, err := c.readRemovals(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.Log.Error("could not read who was removed from all projects; a new removal takes effect once the store answers", "error", err)
			retry = time.After(retryRemovals)
		case c.everywhere.Load() == nil || snapshot.Version != before:
			c.everywhere.Store(snapshot)
			changed(before)
		}
		select {
		case <-wake:
		case <-retry:
		case <-ctx.Done():
		}
	}
}

// readRemovals reads the removals that hold everywhere. A panic of the store is an error.
func (c *Control) readRemovals(ctx context.Context) (s *presence.Snapshot, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return c.Presence.Snapshot(ctx, presence.Everywhere)
}

// RemovalsVersion is the version of the removals that hold everywhere; 0 before they were read.
func (c *Control) RemovalsVersion() uint64 {
	if s := c.everywhere.Load(); s != nil {
		return s.Version
	}
	return 0
}

// RemovedSince returns an error that wraps [presence.ErrRemoved] if the user of a project was removed everywhere, at a
// version above since; see RemovalsVersion.
func (c *Control) RemovedSince(since uint64, project presence.Project, id presence.UserID) error {
	s := c.everywhere.Load()
	if s == nil || len(s.Removals) == 0 {
		return nil
	}
	key := presence.UserID(UserKey(project, id))
	if !s.RemovedSince(since, key) {
		return nil
	}
	return Removed(s, key)
}

// removedEverywhere returns an error that wraps [presence.ErrRemoved] if the user of a project may not come back yet to
// any project.
func (c *Control) removedEverywhere(project presence.Project, id presence.UserID) error {
	s := c.everywhere.Load()
	if s == nil || len(s.Removals) == 0 {
		return nil
	}
	return s.Removed(time.Now(), presence.UserID(UserKey(project, id)))
}

// Removed returns the error for a user whom a snapshot lists as removed. It has a time if the user may not come back yet.
func Removed(s *presence.Snapshot, id presence.UserID) error {
	return cmp.Or(s.Removed(time.Now(), id), presence.ErrRemoved)
}

// LosesSession reports whether an error of Authenticate says that a user who is known may not use the project, so that
// their session has to end.
func LosesSession(err error) bool {
	return errors.Is(err, identity.ErrProjectUnknown) || errors.Is(err, presence.ErrRemoved)
}
