package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/writer-presence/writer-presence/internal/netio"
)

const (
	dialTimeout = 2 * time.Second
	// pingTimeout is how long a connection may leave a ping unanswered. A ping is sent when nothing
	// arrived for pingInterval. Both together are less than callTimeout, because calls that wait for
	// space in the queue of a connection ignore their context until the connection fails.
	pingTimeout  = 2500 * time.Millisecond
	pingInterval = 500 * time.Millisecond
	// sentinelInterval is how often Sentinels are asked for the master, because their message about a new
	// one may be lost.
	sentinelInterval = 2 * time.Second
	// maxRedirections is how often a command follows MOVED and ASK before it fails. Without it, masters
	// that redirect to each other would keep a processor busy for all of callTimeout.
	maxRedirections = 16
)

// parseAddress makes the options of the client from the address of Redis; see [Open] for its form. Its
// errors contain no part of the address, because that may be a password.
func parseAddress(address string) (rueidis.ClientOption, error) {
	option, err := rueidis.ParseURL(address)
	var query url.Values
	if err == nil {
		u, _ := url.Parse(address) // cannot fail: the line above parses it, too
		query, err = url.ParseQuery(u.RawQuery)
	}
	if err == nil {
		err = checkQuery(query)
	} else {
		err = errors.New("it is no URL of Redis; in a user and a password write / # ? @ and % as %2F %23 %3F %40 and %25")
	}
	if err != nil {
		return option, fmt.Errorf("the address of Redis cannot be read: %w; give one such as redis://127.0.0.1:6379/0", err)
	}
	network := "tcp"
	if option.DialCtxFn != nil { // ParseURL sets it for a Unix socket only
		network = "unix"
	}
	option.DialCtxFn = dialRaw(network)
	option.Dialer.Timeout = dialTimeout
	option.Dialer.KeepAlive = pingInterval
	option.ConnWriteTimeout = pingTimeout
	option.DisableCache = true
	option.ClientName = "writer-presence"
	option.ClusterOption.MaxMovedRedirections = maxRedirections
	option.ClientSetInfo = rueidis.DisableClientSetInfo
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.Dialer = option.Dialer
		option.Sentinel.TopologyRefreshInterval = sentinelInterval
		option.Sentinel.TLSConfig = option.TLSConfig
		option.Sentinel.Username, option.Sentinel.Password = query.Get("sentinel_user"), query.Get("sentinel_password")
	}
	return option, nil
}

// dialRaw returns a function that connects over a network. Without TLS the connection is a [netio.Socket] (ADR 47).
func dialRaw(network string) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		if config != nil {
			return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, network, address)
		}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		socket := netio.NewSocket(conn)
		return &socket, nil
	}
}

// checkQuery rejects parameters that would have no effect: a misspelt one, or the rest of a password
// that is not written as in a URL.
func checkQuery(query url.Values) error {
	known := []string{"addr", "master_set", "sentinel_user", "sentinel_password", "skip_verify"}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("one of its parameters is none of %s", strings.Join(known, ", "))
		case strings.HasPrefix(name, "sentinel_") && query.Get("master_set") == "":
			return fmt.Errorf("%s goes with master_set", name)
		case name != "skip_verify" && slices.Contains(values, ""):
			return fmt.Errorf("its parameter %s is empty", name)
		}
	}
	return nil
}
