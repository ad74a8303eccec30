package main

import (
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

// healthTime is how long the answer may take: less than what asks again and again waits.
const healthTime = 3 * time.Second

// newHealth makes the subcommand that asks a server on this machine how it is, where there is nothing else to ask with,
// as in an image that holds this program only.
func newHealth(env func(string) (string, bool)) *cobra.Command {
	var addr, data string
	var ready, dev bool
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the server that runs here how it is",
		Long: `Ask the server that runs here whether it is alive, or with --ready whether it should get
requests. The exit status is 0 for yes, and 1 for no and for a server that cannot be found.

The server is the one that uses the data directory: it writes there at which address it can
be asked, and who it is, so that another server at that address is not taken for it.
With --admin-addr the server at that address is asked; if --data is given too and names
another server, the answer is no. A server with --redis-url writes to its data directory
only if --data is given to it, a directory for each node; else give --admin-addr.`,
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
			said, err := askForHealth(addr, data, path, byAddr, byData)
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), said)
			}
			return err
		},
	}
	c.Flags().StringVar(&addr, "admin-addr", "", "`address` of health and metrics, as serve has it (default: the one that the server wrote to the data directory)")
	c.Flags().StringVar(&data, "data", "", "`directory` of the server's data, as serve has it (default: as for serve)")
	c.Flags().BoolVar(&dev, "dev", false, "the server was started with --dev, which has another default for --data")
	c.Flags().BoolVar(&ready, "ready", false, "ask whether it should get requests: no from the beginning of its end on")
	return c
}

// askForHealth asks the server that is meant, and returns what it says if all is well. byAddr and byData say whether
// the address and the directory were given.
func askForHealth(addr, data, path string, byAddr, byData bool) (said string, err error) {
	var s runningServer
	if !byAddr || byData {
		if s, err = readServer(data); err != nil && !byAddr {
			return "", err
		}
	}
	if byAddr {
		if err := checkAdminAddr(addr); err != nil {
			return "", err
		}
		if addr == "" || addr == "off" {
			return "", errors.New("--admin-addr is for none, and so there is nobody to ask; give the one that serve has")
		}
	} else if addr = s.Admin; addr == "" {
		return "", fmt.Errorf("the server of %s runs with --admin-addr off, or did when it was last heard of, and so it cannot be asked; start it with an address", data)
	}
	said, instance, err := askServer(addr, path)
	var answer *unwell
	switch {
	case err != nil && !errors.As(err, &answer) && byAddr:
		return "", fmt.Errorf("%w; see that it runs, and that --admin-addr is the one that serve has", err)
	case err != nil && !errors.As(err, &answer):
		return "", fmt.Errorf("%w: the server of %s is gone, and did not end in order (process %d)", err, data, s.PID)
	case s.Instance != "" && instance != s.Instance:
		return "", fmt.Errorf("another server answers at %s: the server of %s is gone, or at another address", addr, data)
	}
	return said, err
}

// unwell is the error of a server that answers, and not with 200.
type unwell struct{ status, said string }

func (u *unwell) Error() string { return u.status + ": " + u.said }

// askServer asks at an admin address, and returns what the server says and which one it is ("" for one that is older
// than this question).
func askServer(addr, path string) (said, instance string, err error) {
	client := http.Client{Timeout: healthTime, Transport: &http.Transport{DisableKeepAlives: true}} // by no proxy
	answer, err := client.Get("http://" + reachable(addr) + path)
	if err != nil {
		return "", "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	said = strings.TrimSpace(string(body))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = &unwell{answer.Status, said}
	}
	return said, answer.Header.Get(admin.InstanceHeader), err
}

// reachable makes of an address to listen at one to connect to: a host that stands for all addresses is this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("", port)
	}
	return addr
}
