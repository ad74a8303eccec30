package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/cache"
)

const (
	// dialTime is how long it may take to connect, and openTime to all that there is.
	dialTime = 2 * time.Second
	openTime = 6 * time.Second
	// silentTime is how long a connection may be silent to a ping, which is sent every
	// pingTime in which nothing came. Only then do those go on who wait for room in a full
	// connection, whatever their context says: both together are less than callTime.
	silentTime = 2500 * time.Millisecond
	pingTime   = 500 * time.Millisecond
	// refreshTime is how often Sentinels are asked for the master: what they published of a
	// new one may have been lost.
	refreshTime = 2 * time.Second
	// mostRedirections is how often a command follows MOVED and ASK before it fails: masters
	// that name each other would otherwise keep it, and a processor, busy for all of callTime.
	mostRedirections = 16
	// oldest is the first version of Redis whose scripts do what ours need.
	oldestMajor, oldestMinor = 6, 2
	// shardedMajor is the first with wake-ups that do not go to all nodes of a cluster.
	shardedMajor = 7
)

// Open opens a store in the Redis at an address:
//
//	redis://user:password@host:6379/0             one server; rediss:// with TLS
//	redis://host:26379?addr=host2:26379&master_set=name   by its Sentinels, which may want
//	                                              a sentinel_user and a sentinel_password
//	redis://host:6379?addr=host2:6379             a cluster, by some of its nodes
//
// What keeps it from being used (it is out of reach, wants a password, is read-only, is older
// than 6.2, or has no such database) is an error that says what to do. It names no password.
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
	option, err := parse(address)
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
	s := &Store{durability: durability, most: mostRooms, client: client, pubsub: pubsub, lease: o.Lease, now: time.Now, looks: make(chan struct{}, looksAtOnce), rooms: map[presence.Project]*room{}, told: cache.Map[presence.Project, told]{Size: mostTold}, outage: outage{log: o.Log, failing: "Redis does not answer as it should, and presence is unknown; this is said once a minute", over: "Redis answers again"},
		mute: outage{log: o.Log, failing: "Redis refuses a subscription to wake-ups, so changes of other nodes show a second late; this is said once a minute", over: "Redis accepts subscriptions again"}}
	s.ctx, s.end = context.WithCancel(context.Background())
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
	s.findOut()
	return s, nil
}

// connect makes a client, which knows no context, in the time that there is.
func connect(ctx context.Context, option rueidis.ClientOption) (rueidis.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openTime, errSlow)
	defer cancel()
	type made struct {
		client rueidis.Client
		err    error
	}
	done := make(chan made)
	go func() {
		client, err := rueidis.NewClient(option)
		select {
		case done <- made{client, err}:
		case <-ctx.Done():
			if err == nil {
				client.Close()
			}
		}
	}()
	select {
	case m := <-done:
		return m.client, m.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

var errSlow = fmt.Errorf("it did not answer in %v", openTime)

func parse(address string) (rueidis.ClientOption, error) {
	option, err := rueidis.ParseURL(address)
	var query url.Values
	if err == nil {
		u, _ := url.Parse(address) // which it is
		query, err = url.ParseQuery(u.RawQuery)
	}
	if err == nil {
		err = checkQuery(query)
	} else { // which may repeat a password, or a part of one
		err = errors.New("it is no URL of Redis; in a user and a password write / # ? @ and % as %2F %23 %3F %40 and %25")
	}
	if err != nil {
		return option, fmt.Errorf("the address of Redis cannot be read: %w; give one such as redis://127.0.0.1:6379/0", err)
	}
	option.Dialer.Timeout = dialTime
	option.Dialer.KeepAlive = pingTime
	option.ConnWriteTimeout = silentTime
	option.DisableCache = true
	option.ClientName = "writer-presence"
	option.ClusterOption.MaxMovedRedirections = mostRedirections
	option.ClientSetInfo = rueidis.DisableClientSetInfo
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.Dialer = option.Dialer
		option.Sentinel.TopologyRefreshInterval = refreshTime
		option.Sentinel.TLSConfig = option.TLSConfig
		option.Sentinel.Username, option.Sentinel.Password = query.Get("sentinel_user"), query.Get("sentinel_password")
	}
	return option, nil
}

// checkQuery refuses what nobody would look at: most likely it was meant for something, or it
// is the rest of a password, which is not repeated.
func checkQuery(query url.Values) error {
	known := []string{"addr", "master_set", "sentinel_user", "sentinel_password", "skip_verify"}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("of its parameters one is none of %s", strings.Join(known, ", "))
		case strings.HasPrefix(name, "sentinel_") && query.Get("master_set") == "":
			return fmt.Errorf("%s goes with master_set", name)
		case name != "skip_verify" && slices.Contains(values, ""):
			return fmt.Errorf("its parameter %s is empty", name)
		}
	}
	return nil
}

// check finds out what it is that answers, and whether it does what the scripts need.
func (s *Store) check(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	hello, err := s.client.Do(ctx, s.client.B().Arbitrary("HELLO").Args("3").Build()).AsMap()
	if err != nil {
		return err
	}
	version, mode := hello["version"], hello["mode"]
	number, _ := version.ToString()
	major, err := majorOf(number)
	if err != nil {
		return err
	}
	kind, _ := mode.ToString()
	s.sharded = kind == "cluster" && major >= shardedMajor
	s.probe = newProbe(s.sharded)
	s.pubsub.use(s.probe)
	s.scripts.Store(newScripts(o.Lease, o.Heartbeat, s.publishCommand(), 0))
	if err := s.checkChannel(ctx, s.probe.channels[0].name); err != nil {
		return err
	}
	if err := s.client.Do(ctx, s.client.B().Ping().Build()).Error(); err != nil {
		return err
	}
	return s.checkScripts(ctx)
}

// checkScripts has somebody come to a project that no name leads to, look, move and leave:
// that takes all commands that scripts use. Redis forgets it by itself, as it does a project.
func (s *Store) checkScripts(ctx context.Context) error {
	name, scripts := rand.Text(), s.scripts.Load()
	whose := field(presence.UserID(name))
	for _, step := range []struct {
		script *rueidis.Lua
		args   []string
	}{
		{scripts.update, []string{"0", "0", whose, "", name, "0", "a", "editing", flags(), ""}},
		{scripts.snapshot, []string{"0", "0"}},
		{scripts.update, []string{"0", "0", whose, "", name, "0", "b", "editing", flags(), ""}},
		{scripts.leave, []string{"0", whose, "", name, "0", flags()}},
	} {
		if _, err := readAnswer(step.script.Exec(ctx, s.client, []string{"writer-presence:{" + name + "}"}, step.args)); err != nil {
			return err
		}
	}
	return nil
}

// checkChannel finds out whether wake-ups can be sent, and listened for.
func (s *Store) checkChannel(ctx context.Context, channel string) error {
	if err := s.client.Do(ctx, s.publication(channel, "")).Error(); err != nil {
		return err
	}
	listening, confirmed := context.WithCancel(ctx)
	defer confirmed()
	hooked := rueidis.WithOnSubscriptionHook(listening, func(c rueidis.PubSubSubscription) {
		if begins(c) {
			confirmed()
		}
	})
	err := s.pubsub.client.Receive(hooked, s.subscription(channel), func(rueidis.PubSubMessage) {})
	if listening.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// majorOf gives the first number of a version that is not too old. Those of Valkey went on
// from 7.2.
func majorOf(version string) (major int, err error) {
	var minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return 0, tooOld(version)
	}
	return major, nil
}

type tooOld string

func (v tooOld) Error() string {
	return fmt.Sprintf("it is version %s; presence needs Redis %d.%d or later, or Valkey", string(v), oldestMajor, oldestMinor)
}

// explain says of an error at the start what to do about it.
func explain(o rueidis.ClientOption, err error) error {
	where := strings.Join(o.InitAddress, ", ")
	text := err.Error()
	advice := "see that it runs, and that the address is right (with TLS it begins with rediss://)"
	if o.TLSConfig != nil {
		advice = "see that it runs, that the address is right, and that it speaks TLS there (without TLS the address begins with redis://)"
	}
	switch {
	case errors.As(err, new(tooOld)):
		return fmt.Errorf("Redis at %s cannot be used: %w", where, err)
	case strings.Contains(text, "WAITAOF"), strings.Contains(text, "waitaof"):
		advice = "--redis-durability aof needs Redis 7.2 or later with appendonly yes, and the right +waitaof: choose auto, or wait:N"
	case strings.Contains(text, "NOAUTH"), strings.Contains(text, "without any password"), strings.Contains(text, "WRONGPASS"):
		advice = "give the right user and password in the address, as in redis://user:password@host:6379"
		if o.Sentinel.MasterSet != "" {
			advice += ", and what Sentinels want in addition as &sentinel_user= and &sentinel_password="
		}
	case strings.Contains(text, "NOPERM"), strings.Contains(text, "can't run this command"), strings.Contains(text, "ACL failure"):
		advice = "let the user run the commands in docs/how-to/several-nodes.md on the keys and channels that begin with writer-presence: (~writer-presence:* &writer-presence:*)"
	case strings.Contains(text, "READONLY"):
		advice = "it is a replica: give the address of the master, or those of its Sentinels with master_set"
	case strings.Contains(text, "DB index"), strings.Contains(text, "SELECT"):
		advice = fmt.Sprintf("it has no database %d: give another one at the end of the address, such as /0 (a cluster has only that)", o.SelectDB)
	case strings.Contains(text, "cluster support disabled"):
		advice = "it is no cluster: leave ?addr= out"
	case strings.Contains(text, "'SENTINEL'"):
		advice = "it is no Sentinel: leave master_set out"
	case strings.Contains(text, "HELLO"), strings.Contains(text, "unknown command"):
		return fmt.Errorf("Redis at %s cannot be used: %w; presence needs Redis %d.%d or later, or Valkey", where, err, oldestMajor, oldestMinor)
	case strings.Contains(text, "OOM"):
		advice = "it has no memory left: give it more (maxmemory)"
	case strings.Contains(text, "certificate"), strings.Contains(text, "tls: failed"):
		advice = "see that its certificate is for this name and from an authority that this machine trusts"
	case o.Sentinel.MasterSet != "":
		advice = "see that its Sentinels run, and that they know a master of that name"
	}
	return fmt.Errorf("Redis at %s cannot be used: %w; %s", where, err, advice)
}
