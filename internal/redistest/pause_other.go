//go:build !unix

package redistest

// Pause skips the test: only Unix can stop a process and continue it.
func (s *Server) Pause() {
	s.t.Helper()
	s.t.Skip("only Unix can pause a process")
}

// Resume does nothing.
func (s *Server) Resume() {}
