//go:build !linux

package live

// poller waits for no connection: each has a goroutine that does.
type poller struct{}

func newPoller(func(*conn)) *poller { return &poller{} }

func (*poller) allow()          {}
func (*poller) stop()           {}
func (*poller) wait(*conn) bool { return false }
func (*poller) interrupt(*conn) {}
