package httpapi

import "github.com/writer-presence/writer-presence/internal/connlimit"

// OpenConnections returns what the limits of a handler count now.
func OpenConnections(h *Handler) connlimit.Counts { return h.limits.Counts() }
