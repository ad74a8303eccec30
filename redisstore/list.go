package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// listTime is how long a call of Projects looks for projects before it returns those that it has found.
	listTime = 2 * time.Second
	// maxScanned is how many keys Redis looks at in one SCAN, which takes it about a millisecond for 1,000.
	maxScanned = 10_000
	// listedAtOnce is how many projects are read concurrently.
	listedAtOnce = 64
)

// Projects implements [presence.Store]. It scans the keys of every master. A page can have more projects than limit:
// all those of one SCAN.
func (s *Store) Projects(ctx context.Context, f presence.ProjectFilter, cursor string, limit int) (page []presence.ActiveProject, next string, err error) {
	if s.client == nil {
		return nil, "", errNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	nodes, err := s.masters(ctx)
	if err != nil {
		return nil, "", unavailable(err)
	}
	at, err := parseCursor(cursor, nodes)
	if err != nil {
		return nil, "", err
	}
	count := int64(max(limit, 1))
	for began := s.now(); len(page) < limit && s.now().Sub(began) < listTime; {
		keys, more, err := s.scan(ctx, nodes[at.node], at.scan, f.Prefix, count)
		if err == nil {
			keys, err = s.keysOf(ctx, keys, f.User)
		}
		var found []presence.ActiveProject
		if err == nil {
			found, err = s.readProjects(ctx, keys, f.User)
		}
		if err != nil {
			return nil, "", unavailable(err)
		}
		page = append(page, found...)
		if len(found) == 0 { // most keys are of others: look at more of them at once
			count = min(2*count, maxScanned)
		}
		if at.scan = more; more == 0 {
			at.node++
		}
		if at.node == len(nodes) {
			return page, "", nil
		}
	}
	return page, at.String(nodes), nil
}

// master is a server that has keys, with its address.
type master struct {
	address string
	client  rueidis.Client
}

// masters returns the masters in the order of their addresses.
func (s *Store) masters(ctx context.Context) (all []master, err error) {
	nodes := s.client.Nodes()
	for _, address := range slices.Sorted(maps.Keys(nodes)) {
		client := nodes[address]
		if s.client.Mode() == rueidis.ClientModeCluster {
			role, err := client.Do(ctx, client.B().Role().Build()).ToArray()
			if err != nil {
				return nil, err
			}
			if name, _ := role[0].ToString(); name != "master" { // it would list the projects of its master again
				continue
			}
		}
		all = append(all, master{address, client})
	}
	if len(all) == 0 {
		err = fmt.Errorf("it has no master")
	}
	return all, err
}

// position is how far a scan of all masters has come: the masters before node are finished.
type position struct {
	node int
	scan uint64
}

// String returns the cursor that stands for the position.
func (p position) String(nodes []master) string {
	return strconv.FormatUint(p.scan, 10) + "@" + nodes[p.node].address
}

// parseCursor is the reverse of String. A cursor of a master that is no longer there is an error.
func parseCursor(cursor string, nodes []master) (p position, err error) {
	if cursor == "" {
		return p, nil
	}
	scan, address, _ := strings.Cut(cursor, "@")
	p.scan, err = strconv.ParseUint(scan, 10, 64)
	p.node = slices.IndexFunc(nodes, func(m master) bool { return m.address == address })
	if err != nil || p.node < 0 {
		return p, presence.ErrCursorInvalid
	}
	return p, nil
}

// globs escapes what has a meaning in a pattern of Redis.
var globs = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`)

// scan returns the keys of projects among the next count keys of a master, and the cursor of those after them, 0 if
// there are none.
func (s *Store) scan(ctx context.Context, m master, cursor uint64, prefix string, count int64) (keys []string, next uint64, err error) {
	entry, err := m.client.Do(ctx, m.client.B().Scan().Cursor(cursor).Match("writer-presence:{*:"+globs.Replace(prefix)+"*}").Count(count).Build()).AsScanEntry()
	for _, key := range entry.Elements {
		if project, ok := projectOf(key); ok && strings.HasPrefix(string(project), prefix) {
			keys = append(keys, key)
		}
	}
	return keys, entry.Cursor, err
}

// projectOf is the reverse of projectKey.
func projectOf(key string) (project presence.Project, ok bool) {
	rest, found := strings.CutPrefix(key, "writer-presence:{")
	_, name, _ := strings.Cut(rest, ":")
	project = presence.Project(strings.TrimSuffix(name, "}"))
	return project, found && projectKey(project) == key
}

// keysOf returns the keys of projects that know a user, or all for the empty one.
func (s *Store) keysOf(ctx context.Context, keys []string, user presence.UserID) (of []string, err error) {
	if user == "" || len(keys) == 0 {
		return keys, nil
	}
	var asked []rueidis.Completed
	for _, key := range keys {
		asked = append(asked, s.client.B().Hexists().Key(key).Field(memberField(user)).Build())
	}
	for i, answer := range s.client.DoMulti(ctx, asked...) {
		known, err := answer.AsBool()
		if err != nil {
			return nil, err
		}
		if known {
			of = append(of, keys[i])
		}
	}
	return of, nil
}

// readProjects reads projects without the cache, which a list of all projects would fill, and returns the active ones
// that the user, if one is given, is in.
func (s *Store) readProjects(ctx context.Context, keys []string, user presence.UserID) (active []presence.ActiveProject, err error) {
	answers, errs := make([]answer, len(keys)), make([]error, len(keys))
	slots := make(chan struct{}, listedAtOnce)
	var reading sync.WaitGroup
	for i, key := range keys {
		slots <- struct{}{}
		reading.Go(func() {
			defer func() { <-slots }()
			project, _ := projectOf(key)
			floor, _, _ := s.project(project, false).state()
			answers[i], errs[i] = readAnswer(s.scripts.Load().snapshot.Exec(ctx, s.client, []string{key}, []string{floor, number(0)}))
		})
	}
	reading.Wait()
	for i, a := range answers {
		if errs[i] != nil {
			return nil, errs[i]
		}
		var own []presence.Record
		for _, r := range a.records {
			if r.User.ID == user {
				own = append(own, r)
			}
		}
		if len(a.records) == 0 || user != "" && len(own) == 0 {
			continue
		}
		project, _ := projectOf(keys[i])
		p := presence.ActiveProject{Project: project, Snapshot: presence.Aggregate(a.version, a.records, a.saves)}
		p.Snapshot.Moves, p.Snapshot.Removals, p.Snapshot.Partial, p.Snapshot.Loss = a.moves, a.removals, a.partial, a.loss
		if user != "" {
			p.User = presence.Aggregate(0, own, nil).Occupants[0]
		}
		active = append(active, p)
	}
	return active, nil
}
