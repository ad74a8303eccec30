package main

import (
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// settings are what serve can be told.
type settings struct {
	addr, data, redisURL, redisDurability, secretFile, prefix, visitors string
	adminAddr                                                           string
	adminChosen, redisChosen, visitorsChosen                            bool
	visitorRule                                                         visitorRule // what visitors comes to
	origins                                                             []string
	dev                                                                 bool
	lease, heartbeat, drainDelay                                        time.Duration
	userRate, addressRate, visitorRate                                  float64
	addressProjects                                                     int
	connections, userConnections, addressConnections                    int
	limits                                                              httpapi.Options // only the limits of connections, as the flags mean them
	gates                                                               gates
	tenantFrom                                                          string
	env                                                                 func(string) (string, bool)
	logLevel                                                            string
	level                                                               slog.Level // what logLevel comes to
}

// flags declares the flags of serve.
func (s *settings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one")
	f.StringVar(&s.data, "data", "", "`directory` of the embedded store and of the key; made if need be (default: in the user's state directory, writer-presence, or writer-presence-dev with --dev)")
	f.StringVar(&s.redisURL, "redis-url", "", "`address` of the Redis that several nodes share, in place of the embedded store: redis://user:password@host:6379/0, rediss:// with TLS; more hosts of a cluster as ?addr=host:port, Sentinels with &master_set=name")
	f.StringVar(&s.redisDurability, "redis-durability", "auto", "`mode` that defines when a change in Redis counts as durable: none (never), aof (once it is on Redis's disk), wait:N (once N replicas have it), or auto (no waiting; durable on a single server with appendonly yes and appendfsync always)")
	f.StringVar(&s.secretFile, "secret-file", "", "`file` with the signing key, one or two lines of base64; made if need be (default: secret in --data)")
	f.StringVar(&s.prefix, "prefix", httpapi.DefaultPrefix, "`path` below which the API stands")
	f.StringVar(&s.visitors, "visitors", "", "people who are not signed in: on, off, or the `projects` that let them in, with commas; project:NAME for one whose name looks like on or off (default: on, but off with --auth-url, --jwt-secret-file or --jwks-url)")
	f.StringSliceVar(&s.origins, "allowed-origins", nil, "`origins` of the pages that may change something or open live connections, with commas, such as https://write.example.org or https://*.example.org; needed for pages of other origins, which then get CORS answers and need tokens, and where a proxy changes Host; good against other names for this server (default: that of the request's Host)")
	s.gates.flags(f)
	f.StringVar(&s.tenantFrom, "tenant-from", "", "`source` of the tenant: host makes the same project id under two hosts two projects; the host is the request's, or X-Forwarded-Host of --trusted-proxies (default: there are no tenants)")
	f.BoolVar(&s.dev, "dev", false, "let everybody on this machine be whom they say, for trying things out; without request limits unless given, and on loopback only")
	f.DurationVar(&s.lease, "lease", presence.DefaultLease, "how long somebody is listed after their last sign of life")
	f.DurationVar(&s.heartbeat, "heartbeat", presence.DefaultHeartbeat, "how far apart pages give signs of life; at most a third of --lease")
	f.Float64Var(&s.userRate, "user-rate", httpapi.DefaultUserRate.PerSecond, "`requests` a second of one user, with five times as many at once; renewals still succeed above it; 0 for no limit")
	f.Float64Var(&s.addressRate, "address-rate", httpapi.DefaultAddressRate.PerSecond, "`requests` a second of one address, likewise")
	f.Float64Var(&s.visitorRate, "visitor-rate", identity.DefaultVisitorRate.PerSecond, "new `visitors` a second from one address, with 200 times as many at once; 0 for no limit")
	f.IntVar(&s.addressProjects, "projects-per-address", httpapi.DefaultAddressProjects, "different `projects` that people from one address enter in 12 to 24 minutes, visitors counted apart; 0 for no limit")
	f.StringVar(&s.adminAddr, "admin-addr", defaultAdminAddr, "`address` of /healthz, /readyz and /metrics; port 0 takes a free one, and so does the default if it is taken; empty or off for none")
	f.DurationVar(&s.drainDelay, "drain-delay", 0, "how long after SIGTERM requests are still taken, while /readyz says draining: for balancers that ask it, a little longer than they take to ask again")
	f.StringVar(&s.logLevel, "log-level", "info", "lowest `level` that is logged: debug, info, warn or error; debug has a line for each request and live message that is refused")
	f.IntVar(&s.connections, "connections", httpapi.DefaultConnections, "open `connections` in all; a fifth is kept free of live connections of visitors; more wait to be taken, for which the oldest are closed that wait for a request or a hello")
	f.IntVar(&s.userConnections, "user-connections", httpapi.DefaultUserConnections, "live `connections` of one user or visitor in all projects; 0 for no limit")
	f.IntVar(&s.addressConnections, "address-connections", 0, "`connections` of one address, of IPv6 a /64, of which a fifth is kept free of live connections of visitors; 0 for no limit (default: a quarter of --connections, at least 32)")
	markNeverEmpty(f, "tenant-from", "allowed-origins")
}
