//go:build !unix

package redistest

// Pause skips the test, since a process cannot be stopped here.
func (s *Server) Pause() { s.t.Skip("a process cannot be stopped on this system") }

// Resume is not reached.
func (s *Server) Resume() {}
