package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/cache"
)

const (
	// openTimeout bounds the time to connect a client.
	openTimeout = 6 * time.Second
	// oldestMajor and oldestMinor are the first version of Redis that can run the scripts.
	oldestMajor, oldestMinor = 6, 2
	// shardedMajor is the first major version with sharded pub/sub.
	shardedMajor = 7
)

// Open opens a store in the Redis at an address:
//
//	redis://user:password@host:6379/0             one server; rediss:// with TLS
//	redis://host:26379?addr=host2:26379&master_set=name   by its Sentinels, which may require
//	                                              a sentinel_user and a sentinel_password
//	redis://host:6379?addr=host2:6379             a cluster, by some of its nodes
//
// If Redis cannot be used (for example, it is unreachable, requires a password, is read-only, is older
// than 6.2, or has no such database), the error says what to do. It contains no password.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	if o.Lease == 0 {
		o.Lease = presence.DefaultLease
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = min(presence.DefaultHeartbeat, o.Lease/4)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	option, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	durability, err := parseDurability(o.Durability, o.Log)
	if err != nil {
		return nil, err
	}
	client, err := connect(ctx, option)
	if err != nil {
		return nil, explain(option, err)
	}
	pubsub, err := newPubsub(ctx, option)
	if err != nil {
		client.Close()
		return nil, explain(option, err)
	}
	s := &Store{
		client: client, pubsub: pubsub, durability: durability, lease: o.Lease, now: time.Now,
		refreshes:   make(chan struct{}, maxRefreshes),
		maxProjects: maxProjects, projects: map[presence.Project]*projectCache{},
		evicted: cache.Map[presence.Project, observation]{Size: maxEvicted},
		outage: outage{log: o.Log,
			failing: "Redis does not answer calls or answers with an error, so presence is unknown; logged once a minute",
			over:    "Redis answers again"},
		subscriptionOutage: outage{log: o.Log,
			failing: "Redis rejects a subscription, so changes of other nodes appear a second late; logged once a minute",
			over:    "Redis accepts subscriptions again"},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	err = s.check(ctx, o)
	if err == nil {
		err = durability.open(ctx, option)
	}
	if err != nil {
		client.Close()
		pubsub.client.Close()
		durability.close()
		return nil, explain(option, err)
	}
	s.detectPersistence()
	return s, nil
}

// connect makes a client within openTimeout, or until the context ends: the library's constructor takes
// no context.
func connect(ctx context.Context, option rueidis.ClientOption) (rueidis.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openTimeout, errOpenTimeout)
	defer cancel()
	type result struct {
		client rueidis.Client
		err    error
	}
	done := make(chan result)
	go func() {
		client, err := rueidis.NewClient(option)
		select {
		case done <- result{client, err}:
		case <-ctx.Done():
			if err == nil {
				client.Close()
			}
		}
	}()
	select {
	case r := <-done:
		return r.client, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

var errOpenTimeout = fmt.Errorf("it did not answer in %v", openTimeout)

// check detects the version and mode of Redis, and whether the user may run all commands.
func (s *Store) check(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	hello, err := s.client.Do(ctx, s.client.B().Arbitrary("HELLO").Args("3").Build()).AsMap()
	if err != nil {
		return err
	}
	version, mode := hello["version"], hello["mode"]
	versionText, _ := version.ToString()
	major, err := majorVersion(versionText)
	if err != nil {
		return err
	}
	modeText, _ := mode.ToString()
	s.sharded = modeText == "cluster" && major >= shardedMajor
	s.probe = newProbe(s.sharded)
	s.pubsub.use(s.probe)
	s.scripts.Store(newScripts(o.Lease, o.Heartbeat, s.publishCommand()))
	if err := s.checkChannel(ctx, s.probe.channels[0].name); err != nil {
		return err
	}
	if err := s.client.Do(ctx, s.client.B().Ping().Build()).Error(); err != nil {
		return err
	}
	return s.checkScripts(ctx)
}

// checkScripts runs each script on a key that no project has, so that all commands in them run. Redis
// removes the key when it expires, like that of a project.
func (s *Store) checkScripts(ctx context.Context) error {
	name, scripts := rand.Text(), s.scripts.Load()
	field := memberField(presence.UserID(name))
	for _, step := range []struct {
		script *rueidis.Lua
		args   []string
	}{
		{scripts.update, []string{"0", "0", field, "", name, "0", "a", "editing", flags(), ""}},
		{scripts.snapshot, []string{"0", "0"}},
		{scripts.update, []string{"0", "0", field, "", name, "0", "b", "editing", flags(), ""}},
		{scripts.leave, []string{"0", field, "", name, "0", flags()}},
		{scripts.remove, []string{"0", name, "0"}},
	} {
		if _, err := readAnswer(step.script.Exec(ctx, s.client, []string{"writer-presence:{" + name + "}"}, step.args)); err != nil {
			return err
		}
	}
	return nil
}

// checkChannel publishes and subscribes once, to find out whether the user may.
func (s *Store) checkChannel(ctx context.Context, channel string) error {
	if err := s.client.Do(ctx, s.publication(channel, "")).Error(); err != nil {
		return err
	}
	subscribing, confirmed := context.WithCancel(ctx)
	defer confirmed()
	hooked := rueidis.WithOnSubscriptionHook(subscribing, func(c rueidis.PubSubSubscription) {
		if begins(c) {
			confirmed()
		}
	})
	err := s.pubsub.client.Receive(hooked, s.subscription(channel), func(rueidis.PubSubMessage) {})
	if subscribing.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// majorVersion returns the first number of a version, or an error if it is too old. The versions of
// Valkey continue those of Redis from 7.2 on.
func majorVersion(version string) (major int, err error) {
	var minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return 0, versionError(version)
	}
	return major, nil
}

// versionError is a version that is too old.
type versionError string

func (v versionError) Error() string {
	return fmt.Sprintf("it is version %s; presence needs Redis %d.%d or later, or Valkey", string(v), oldestMajor, oldestMinor)
}

// explain adds to an error of Open what to do about it.
func explain(o rueidis.ClientOption, err error) error {
	addresses := strings.Join(o.InitAddress, ", ")
	text := err.Error()
	advice := "see that it runs, and that the address is right (with TLS it begins with rediss://)"
	if o.TLSConfig != nil {
		advice = "see that it runs, that the address is right, and that it speaks TLS there (without TLS the address begins with redis://)"
	}
	switch {
	case errors.As(err, new(versionError)):
		return fmt.Errorf("Redis at %s cannot be used: %w", addresses, err)
	case strings.Contains(text, "WAITAOF"), strings.Contains(text, "waitaof"):
		advice = "--redis-durability aof needs Redis 7.2 or later with appendonly yes, and a user with +waitaof: choose auto, or wait:N"
	case strings.Contains(text, "NOAUTH"), strings.Contains(text, "without any password"), strings.Contains(text, "WRONGPASS"):
		advice = "give the right user and password in the address, as in redis://user:password@host:6379"
		if o.Sentinel.MasterSet != "" {
			advice += ", and those of the Sentinels as &sentinel_user= and &sentinel_password="
		}
	case strings.Contains(text, "NOPERM"), strings.Contains(text, "can't run this command"), strings.Contains(text, "ACL failure"):
		advice = "let the user run the commands in docs/how-to/several-nodes.md on the keys and channels that begin with writer-presence: (~writer-presence:* &writer-presence:*)"
	case strings.Contains(text, "READONLY"):
		advice = "it is a replica: give the address of the master, or those of its Sentinels with master_set"
	case strings.Contains(text, "DB index"), strings.Contains(text, "SELECT"):
		advice = fmt.Sprintf("it has no database %d: give another one at the end of the address, such as /0 (a cluster has only that)", o.SelectDB)
	case strings.Contains(text, "cluster support disabled"):
		advice = "it is no cluster: remove ?addr= from the address"
	case strings.Contains(text, "'SENTINEL'"):
		advice = "it is no Sentinel: remove master_set from the address"
	case strings.Contains(text, "HELLO"), strings.Contains(text, "unknown command"):
		return fmt.Errorf("Redis at %s cannot be used: %w; presence needs Redis %d.%d or later, or Valkey", addresses, err, oldestMajor, oldestMinor)
	case strings.Contains(text, "OOM"):
		advice = "it has no memory left: raise its maxmemory"
	case strings.Contains(text, "certificate"), strings.Contains(text, "tls: failed"):
		advice = "see that its certificate is for this name and from an authority that this machine trusts"
	case o.Sentinel.MasterSet != "":
		advice = "see that its Sentinels run, and that they know a master of that name"
	}
	return fmt.Errorf("Redis at %s cannot be used: %w; %s", addresses, err, advice)
}
