package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writer-presence/writer-presence/internal/admin"
)

// healthTimeout bounds the time for an answer. It is shorter than the usual timeout of probes that run health.
const healthTimeout = 3 * time.Second

// newHealth returns the subcommand that asks a server on this machine for its health, for environments without an HTTP
// client, such as an image that has this program only.
func newHealth(env func(string) (string, bool)) *cobra.Command {
	var addr, data string
	var ready, dev bool
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine for its health",
		Long: `Ask the server on this machine whether it is alive, or with --ready whether it should get
requests. The exit status is 0 for yes, and 1 for no and for a server that cannot be found.

The server is the one that uses the data directory. It writes its admin address there, and a
random name, so that another server at that address is not mistaken for it.
With --admin-addr the server at that address is asked; if --data is given too and names
another server, the answer is no. A server with --redis-url writes to its data directory
only if --data is given to it, a directory for each node; otherwise give --admin-addr.`,
		Example: "  writer-presence health --ready\n  writer-presence health --data /var/lib/writer-presence",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			byAddr, byData := c.Flags().Changed("admin-addr"), c.Flags().Changed("data")
			if data == "" {
				state, err := stateDir(env, dev)
				if err != nil && !byAddr {
					return fmt.Errorf("%w, or the address of the server with --admin-addr", err)
				}
				data = state
			}
			text, err := queryHealth(addr, data, path, byAddr, byData)
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), text)
			}
			return err
		},
	}
	c.Flags().StringVar(&addr, "admin-addr", "", "`address` of health and metrics, as serve has it (default: the one that the server wrote to the data directory)")
	c.Flags().StringVar(&data, "data", "", "`directory` of the server's data, as serve has it (default: as for serve)")
	c.Flags().BoolVar(&dev, "dev", false, "the server was started with --dev, which has another default for --data")
	c.Flags().BoolVar(&ready, "ready", false, "ask whether the server should get requests; it should not once it has begun to shut down")
	return c
}

// queryHealth asks the server that the flags identify, and returns its answer if that is yes. byAddr and byData report
// whether --admin-addr and --data were given.
func queryHealth(addr, data, path string, byAddr, byData bool) (text string, err error) {
	var s runningServer
	if !byAddr || byData {
		if s, err = readServerFile(data); err != nil && !byAddr {
			return "", err
		}
	}
	if byAddr {
		if err := checkAdminAddr(addr); err != nil {
			return "", err
		}
		if addr == "" || addr == "off" {
			return "", errors.New("--admin-addr has no address to ask; give the one that serve has")
		}
	} else if addr = s.Admin; addr == "" {
		return "", fmt.Errorf("the server of %s was started with --admin-addr off, so it cannot be asked; start it with an address", data)
	}
	text, instance, err := askServer(addr, path)
	var unhealthy *unhealthyError
	var slow net.Error
	switch {
	case errors.As(err, &slow) && slow.Timeout():
		return "", fmt.Errorf("the server at %s did not answer within %v: it hangs, is stopped, or gets no CPU time; look at the process, and resume it or restart it", addr, healthTimeout)
	case err != nil && !errors.As(err, &unhealthy) && byAddr:
		return "", fmt.Errorf("%w; check that the server runs, and that --admin-addr is the one that serve has", err)
	case err != nil && !errors.As(err, &unhealthy):
		return "", fmt.Errorf("%w: the server of %s is gone and did not shut down in order (process %d)", err, data, s.PID)
	case s.Instance != "" && instance != s.Instance:
		return "", fmt.Errorf("another server answers at %s: the server of %s is gone, or at another address", addr, data)
	}
	return text, err
}

// unhealthyError is the answer of a server whose status is not 200.
type unhealthyError struct{ status, text string }

func (u *unhealthyError) Error() string { return u.status + ": " + u.text }

// askServer requests a path at an admin address, and returns the text of the answer and the instance of the server. The
// instance is "" for an older server that does not send it.
func askServer(addr, path string) (text, instance string, err error) {
	base, transport := reachAdmin(addr)
	transport.DisableKeepAlives = true
	client := http.Client{Timeout: healthTimeout, Transport: transport}
	response, err := client.Get(base + path)
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	text = strings.TrimSpace(string(body))
	if err == nil && response.StatusCode != http.StatusOK {
		err = &unhealthyError{response.Status, text}
	}
	return text, response.Header.Get(admin.InstanceHeader), err
}

// reachAdmin returns the URL of an admin address, a host and port or a Unix socket, and a transport that reaches it and
// ignores HTTP_PROXY.
func reachAdmin(addr string) (base string, transport *http.Transport) {
	transport = &http.Transport{}
	socket, ok := strings.CutPrefix(addr, unixPrefix)
	if !ok {
		return "http://" + dialAddr(addr), transport
	}
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return "http://localhost", transport
}

// dialAddr returns the address at which a server that listens at addr can be reached from this machine: an unspecified IP
// address such as 0.0.0.0 is replaced.
func dialAddr(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("", port)
	}
	return addr
}
