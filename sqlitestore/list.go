package sqlitestore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// Projects implements [presence.Store]. The order is that of the projects, and a cursor is the last project of a page
// after a tilde.
func (s *Store) Projects(_ context.Context, f presence.ProjectFilter, cursor string, limit int) (page []presence.ActiveProject, next string, err error) {
	if s.journal == nil {
		return nil, "", errNotOpen
	}
	after, ok := strings.CutPrefix(cursor, "~")
	if cursor != "" && !ok {
		return nil, "", presence.ErrCursorInvalid
	}
	var all []*project
	for i := range s.groups {
		for _, p := range s.projectsIn(&s.groups[i]) {
			if strings.HasPrefix(string(p.name), f.Prefix) && (cursor == "" || string(p.name) > after) {
				all = append(all, p)
			}
		}
	}
	slices.SortFunc(all, func(a, b *project) int { return cmp.Compare(a.name, b.name) })
	for i, p := range all {
		if len(page) == max(limit, 1) {
			return page, "~" + string(all[i-1].name), nil
		}
		if a, ok := p.active(f.User); ok {
			a.Project = p.name
			page = append(page, a)
		}
	}
	return page, "", nil
}

// active returns what is visible in the project. ok is false if the user is not in it, or nobody is.
func (p *project) active(user presence.UserID) (a presence.ActiveProject, ok bool) {
	p.mu.Lock()
	defer p.notifyAndUnlock()
	now := time.Now()
	p.roster.Expire(now)
	if p.roster.Count() == 0 {
		return a, false
	}
	if user != "" {
		if a.User = p.roster.Occupant(now, user); a.User == nil {
			return a, false
		}
	}
	a.Snapshot = p.roster.Snapshot(now)
	return a, true
}
