package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/writer-presence/writer-presence/hostapi/client"
	"github.com/writer-presence/writer-presence/internal/hostapi"
)

// hostFlags are the flags of the commands that ask the host API of a running server.
type hostFlags struct {
	env func(string) (string, bool)

	api, adminAddr, keyFile, data, tenant string
	dev, json                             bool
}

// flags declares the flags.
func (h *hostFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&h.api, "api", "", "`address` of the server's --admin-addr, such as http://127.0.0.1:9090 (default: --admin-addr of serve in its variable or in --config, or the address that the server wrote to the data directory)")
	f.StringVar(&h.adminAddr, "admin-addr", "", "`address` of health and metrics, as serve has it")
	f.Lookup("admin-addr").Hidden = true // it is there for its variable and its key in the file of --config
	f.StringVar(&h.keyFile, "api-key-file", "", "`file` with the key of the host API, as serve has it; the first line is sent")
	f.StringVar(&h.data, "data", "", "`directory` of the server's data, as serve has it (default: as for serve)")
	f.BoolVar(&h.dev, "dev", false, "the server was started with --dev, which has another default for --data")
	f.StringVar(&h.tenant, "tenant", "", "`host` of the projects, on a server with --tenant-from host; projects are then named without it")
	f.BoolVar(&h.json, "json", false, "print JSON for scripts instead of a table")
	markOnlyFlags(f, "tenant", "json")
}

// markOnlyFlags marks flags that have no environment variable.
func markOnlyFlags(f *pflag.FlagSet, names ...string) {
	for _, name := range names {
		f.SetAnnotation(name, onlyFlag, []string{"true"})
	}
}

// client returns a client for the server that the flags identify, and its address.
func (h *hostFlags) client() (c *client.Client, at string, err error) {
	if h.keyFile == "" {
		return nil, "", errors.New("the host API needs a key: give --api-key-file, the file that serve has; this user must be able to read it")
	}
	key, err := hostapi.ReadKey(h.keyFile)
	if err != nil {
		return nil, "", fmt.Errorf("--api-key-file: %w", err)
	}
	if at, err = h.address(); err != nil {
		return nil, "", err
	}
	base, transport := at, &http.Transport{} // ignores HTTP_PROXY
	if !strings.Contains(at, "://") {
		base, transport = reachAdmin(at)
	}
	if c, err = client.New(base, key); err != nil {
		return nil, "", fmt.Errorf("--api %q: give the address of the server's --admin-addr, such as http://127.0.0.1:9090", at)
	}
	c.Tenant = h.tenant
	c.HTTP = &http.Client{Transport: transport}
	return c, at, nil
}

// address returns the address of the server: a URL, a host and port, or a Unix socket. The one that a server wrote to its data directory counts only if that server
// still answers there: another program must not get the key.
func (h *hostFlags) address() (string, error) {
	if at := cmp.Or(h.api, h.adminAddr); at != "" && at != "off" && !strings.HasSuffix(at, ":0") {
		return at, nil
	}
	if h.data == "" {
		var err error
		if h.data, err = stateDir(h.env, h.dev); err != nil {
			return "", fmt.Errorf("%w, or the address of the server with --api", err)
		}
	}
	if _, err := queryHealth("", h.data, "/healthz", false, true); err != nil {
		return "", fmt.Errorf("%w; or give the server's address with --api", err)
	}
	s, err := readServerFile(h.data)
	return s.Admin, err
}

// explain returns the error of a call of the host API as one sentence that says what to do.
func (h *hostFlags) explain(err error, at string) error {
	var answer *client.Error
	var failed *url.Error
	switch {
	case errors.As(err, &answer) && answer.Code == "api_key_invalid":
		return fmt.Errorf("the server at %s rejects the key of %s: give a line of its own --api-key-file, and restart or reload it if that file has changed", at, h.keyFile)
	case errors.As(err, &answer) && answer.Code == "api_off":
		return fmt.Errorf("the server at %s has no host API: start it with --api-key-file", at)
	case errors.As(err, &answer) && (answer.Code == "" || answer.Code == "not_found"):
		return fmt.Errorf("%s is not the admin address of a presence server: give the address of its --admin-addr with --api", at)
	case errors.As(err, &answer) && answer.Code == "tenant_invalid":
		return errors.New("give the host of the projects with --tenant on a server with --tenant-from host, such as --tenant a.example; on any other server leave it out")
	case errors.As(err, &answer) && answer.RetryAfter > 0:
		return fmt.Errorf("%s (%s); try again in %v", answer.Message, answer.Code, answer.RetryAfter)
	case errors.As(err, &answer):
		return fmt.Errorf("%s (%s)", answer.Message, answer.Code)
	case errors.As(err, &failed):
		return fmt.Errorf("no server answers at %s: %w; check that it runs, and give the address of its --admin-addr with --api", at, failed.Err)
	}
	return err
}
