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

// Open is how many connections, addresses and users a handler counts.
type Open struct{ Visitors, Unidentified, Users, Addresses int }

// OpenConnections returns what a handler counts at the moment.
func OpenConnections(h *Handler) Open {
	l := h.connLimits
	l.mu.Lock()
	defer l.mu.Unlock()
	return Open{l.openVisitors, l.unidentified.Len(), len(l.users), len(l.addresses)}
}
