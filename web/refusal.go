package web

import "writer-presence/identity"

// countRefusal counts a refused request or live message by its code. A rejected token is counted by
// its reason too, and the log says that reason at most once a minute; the answer does not.
func (s *Handler) countRefusal(err error, f failure) {
	s.Counts.Failures[f.code].Add(1)
	if reason, ok := identity.ReasonOf(err); ok {
		s.Counts.TokenRejections[reason].Add(1)
		s.Log.Warn("rejected a token", "cause", string(reason), "meaning", reason.Explain())
	}
}
