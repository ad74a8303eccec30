package web

import "strconv"

// Failures gives the table of failures as "status code" each.
func Failures() []string {
	var all []string
	for _, f := range failures {
		if f.status == 0 {
			continue // the contract of HTTP does not know it
		}
		all = append(all, strconv.Itoa(f.status)+" "+f.code)
	}
	return all
}

// Open is what a handler counts: the live connections of all users and those of visitors, the
// connections without a hello, and the users and addresses that have connections.
type Open struct{ Live, Visitors, Unidentified, Users, Addresses int }

// OpenConnections returns what a handler counts at the moment.
func OpenConnections(h *Handler) Open {
	l := h.connLimits
	l.mu.Lock()
	defer l.mu.Unlock()
	live := 0
	for _, n := range l.users {
		live += n
	}
	return Open{live, l.openVisitors, l.unidentified.Len(), len(l.users), len(l.addresses)}
}
