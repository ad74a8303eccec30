package main

import (
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

// settings are the values of serve's flags.
type settings struct {
	env func(name string) (value string, ok bool)
	set *pflag.FlagSet // the flags with their values

	addr, adminAddr, socketMode, apiKeyFile, prefix, tenantFrom, tokenHeader string
	webhookURL, webhookSecretFile                                            string
	origins, trustedProxies                                                  []string

	data, secretFile, redisURL, redisDurability string
	lease, heartbeat, drainDelay                time.Duration

	auth                authFlags
	visitors, embedding string
	dev                 bool

	userRate, addressRate, visitorRate               float64 // per second
	addressProjects                                  int
	connections, userConnections, addressConnections int

	logLevel, logFormat string
	accessLog           bool

	visitorRule visitorRule // of visitors, set by validate
	level       slog.Level  // of logLevel, set by validate
	mode        fs.FileMode // of socketMode, set by validate

	hangups chan os.Signal // SIGHUP, set by serve
}

// changed reports whether a flag was given: on the command line, by its variable or in the file of --config.
func (s *settings) changed(flag string) bool { return s.set.Changed(flag) }

// flags declares the flags of serve.
func (s *settings) flags(f *pflag.FlagSet) {
	s.set = f
	f.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` to listen on: a host and port, where port 0 takes a free one, or unix: and the path of a socket, such as unix:/run/writer-presence/socket; a socket that systemd hands over takes its place")
	f.StringVar(&s.socketMode, "socket-mode", "0660", "`permissions` of the Unix sockets of --addr and --admin-addr, in octal")
	f.StringVar(&s.data, "data", "", "`directory` of the embedded store and of the signing key; created if missing (default: in the user's state directory, writer-presence, or writer-presence-dev with --dev)")
	f.StringVar(&s.redisURL, "redis-url", "", "`address` of the Redis that several nodes share, instead of the embedded store: redis://user:password@host:6379/0, rediss:// with TLS; more hosts of a cluster as ?addr=host:port, Sentinels with &master_set=name")
	f.StringVar(&s.redisDurability, "redis-durability", "auto", "`mode` that defines when a change in Redis counts as durable: none (never), aof (once it is on Redis's disk), wait:N (once N replicas have it), or auto (no waiting; durable on a single server with appendonly yes and appendfsync always)")
	f.StringVar(&s.secretFile, "secret-file", "", "`file` with the signing key, one or two lines of base64; created if missing (default: secret in --data)")
	f.StringVar(&s.prefix, "prefix", httpapi.DefaultPrefix, "`path` below which the API is served")
	f.StringVar(&s.visitors, "visitors", "", "who may use the server without signing in: on, off, or a list of `projects` that are open to visitors, separated by commas; project:NAME for a project whose name looks like on or off (default: on, but off with --auth-url, --jwt-secret-file or --jwks-url)")
	f.StringVar(&s.embedding, "embedding", "off", "`mode` of pages in iframes of other sites: on offers visitors, over https, a cookie that browsers keep there (SameSite=None, Partitioned), and lets the reference page be shown there; off does neither")
	f.StringSliceVar(&s.origins, "allowed-origins", nil, "`origins` of the pages that may send changes or open live connections, separated by commas, such as https://write.example.org or https://*.example.org; needed for pages of other origins, which then get CORS headers and must send tokens, and where a proxy changes Host; also protects against DNS rebinding (default: the origin of the request's Host)")
	s.auth.flags(f)
	f.StringVar(&s.tokenHeader, "token-header", "", "`header` that has the token, with or without the word Bearer, such as X-Presence-Token where basic authentication in front uses Authorization; requests without it may use Authorization: Bearer")
	f.StringSliceVar(&s.trustedProxies, "trusted-proxies", nil, "`networks` of your proxies, separated by commas, such as 127.0.0.1/32; their X-Forwarded-For, -Proto and -Host, or Forwarded, give the address of the client, for the limits, and the address of the page")
	f.StringVar(&s.tenantFrom, "tenant-from", "", "`source` of the tenant: host makes the same project id under two hosts two projects; the host is that of the request, or X-Forwarded-Host from --trusted-proxies (default: no tenants)")
	f.BoolVar(&s.dev, "dev", false, "for development: accept any name from users on this machine without a check; no request limits unless given; listens on loopback only")
	f.DurationVar(&s.lease, "lease", presence.DefaultLease, "how long a session is listed after its last update")
	f.DurationVar(&s.heartbeat, "heartbeat", presence.DefaultHeartbeat, "interval between the heartbeats of a page; at most a third of --lease")
	f.Float64Var(&s.userRate, "user-rate", httpapi.DefaultUserRate.PerSecond, "`requests` per second of one user, with bursts of five times as many; renewals succeed even over the limit; 0 for no limit")
	f.Float64Var(&s.addressRate, "address-rate", httpapi.DefaultAddressRate.PerSecond, "`requests` per second from one address, with the same bursts and exceptions as --user-rate; 0 for no limit")
	f.Float64Var(&s.visitorRate, "visitor-rate", identity.DefaultVisitorRate.PerSecond, "new `visitors` per second from one address, with bursts of 200 times as many; 0 for no limit")
	f.IntVar(&s.addressProjects, "projects-per-address", httpapi.DefaultAddressProjects, "different `projects` that users of one address enter in 12 to 24 minutes; visitors are counted separately; 0 for no limit")
	f.StringVar(&s.adminAddr, "admin-addr", defaultAdminAddr, "`address` of /healthz, /readyz, /metrics and, with --api-key-file, the host API, as for --addr; port 0 takes a free one, and so does the default if it is in use; empty or off for none")
	f.StringVar(&s.apiKeyFile, "api-key-file", "", "`file` with the key that the host API needs, which is below /api/v1/ on --admin-addr, and the profiles below /debug/pprof/ there: one line of at least 32 bytes, or two lines while the key is changed (default: the host API is off)")
	f.StringVar(&s.webhookURL, "webhook-url", "", "`address` that events are sent to, such as https://app.example.org/webhooks/presence: who joined and left, and which section is occupied, contested or saved (default: none are sent)")
	f.StringVar(&s.webhookSecretFile, "webhook-secret-file", "", "`file` with the secret that signs webhooks, needed with --webhook-url: one line, or two while the secret is changed, each whsec_ and the base64 of 24 to 64 random bytes")
	f.DurationVar(&s.drainDelay, "drain-delay", 0, "how long to keep serving after SIGTERM while /readyz says draining, for load balancers that poll it: a little longer than their interval")
	f.StringVar(&s.logLevel, "log-level", "info", "lowest `level` that is logged: debug, info, warn or error; debug logs each request and live message that is rejected")
	f.StringVar(&s.logFormat, "log-format", "text", "`format` of the log: text or json, one object a line")
	f.BoolVar(&s.accessLog, "access-log", false, "log a line at level info for each request: its id, method, path, status, bytes and duration, and a hash of the user")
	f.IntVar(&s.connections, "connections", httpapi.DefaultConnections, "open `connections` in total; a fifth is reserved, so live connections of visitors cannot use it; over the limit, new connections wait, and the oldest connections without a request or a hello are closed")
	f.IntVar(&s.userConnections, "user-connections", httpapi.DefaultUserConnections, "live `connections` of one user or visitor in all projects; 0 for no limit")
	f.IntVar(&s.addressConnections, "address-connections", 0, "`connections` from one address (IPv6: one /64); a fifth is reserved, so live connections of visitors cannot use it; 0 for no limit (default: a quarter of --connections, at least 32)")
	markNeverEmpty(f, "tenant-from", "allowed-origins", "api-key-file", "webhook-url", "webhook-secret-file")
	annotate(f, hasContent, "secret-file", "jwt-secret-file", "api-key-file", "webhook-secret-file")
	annotate(f, reloadable, "secret-file", "visitors", "allowed-origins", "auth-url", "auth-url-projects", "api-key-file", "webhook-secret-file", "jwt-secret-file", "jwks-url", "jwt-issuer", "jwt-audience",
		"jwt-name-claim", "jwt-projects-claim", "trusted-proxies", "user-rate", "address-rate", "visitor-rate", "projects-per-address", "log-level",
		"user-connections", "address-connections")
}
