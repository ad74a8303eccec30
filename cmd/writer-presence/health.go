package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTime is how long the answer may take: less than what asks again and again waits.
const healthTime = 3 * time.Second

// newHealth asks a server on this machine how it is, where there is nothing else to ask
// with, as in an image that holds this program only.
func newHealth() *cobra.Command {
	var addr string
	var ready bool
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the server that runs here how it is",
		Long: `Ask the admin address of the server that runs here: whether it is alive, or with
--ready whether it should get requests. The exit status is 0 for yes and 1 for no.`,
		Example: "  writer-presence health --ready",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if addr == "" || addr == "off" {
				return errors.New("--admin-addr is for none, and so there is nobody to ask; give the one that serve has")
			}
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			client := http.Client{Timeout: healthTime, Transport: &http.Transport{}} // by no proxy
			answer, err := client.Get("http://" + addr + path)                       // no host is this machine
			if err != nil {
				return fmt.Errorf("%w; see that it runs, and that --admin-addr is the one that serve has", err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
			said := strings.TrimSpace(string(body))
			if err == nil && answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s: %s", answer.Status, said)
			}
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), said)
			}
			return err
		},
	}
	c.Flags().StringVar(&addr, "admin-addr", defaultAdminAddr, "`address` of health and metrics, as serve has it")
	c.Flags().BoolVar(&ready, "ready", false, "ask whether it should get requests: no from the beginning of its end on")
	return c
}
