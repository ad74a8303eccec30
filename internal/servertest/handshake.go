package servertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// HandshakeRequest returns the text of a WebSocket handshake. Headers are names and values in turn; an empty value removes
// the default header.
func HandshakeRequest(host, path string, headers ...string) string {
	all := map[string]string{
		"Host": host, "Origin": "http://" + host, "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "writer-presence.v1",
	}
	for i := 0; i < len(headers); i += 2 {
		all[headers[i]] = headers[i+1]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", path)
	for name, value := range all {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	return b.String() + "\r\n"
}

// Handshake sends a handshake and returns the connection with the response.
func (s *LiveServer) Handshake(path string, headers ...string) (net.Conn, *bufio.Reader, *http.Response) {
	s.T.Helper()
	raw, ok := s.Listener.Dial()
	if !ok {
		s.T.Fatal("the listener is closed")
	}
	conn := NewPausableConn(raw)
	io.WriteString(conn, HandshakeRequest(s.Host, path, headers...))
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		s.T.Fatalf("no response to the handshake: %v", err)
	}
	return conn, r, answer
}

// HandshakeHeaders returns the headers of HandshakeRequest as names and values in turn, for a request without a
// connection, whose response is checked against docs/reference/openapi.yaml.
func (s *LiveServer) HandshakeHeaders(headers ...string) (pairs []string) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(HandshakeRequest(s.Host, LivePath, headers...))))
	if err != nil {
		s.T.Fatal(err)
	}
	for name, values := range r.Header {
		for _, value := range values {
			pairs = append(pairs, name, value)
		}
	}
	return append(pairs, "Host", r.Host)
}

// ExpectHandshakes checks the response to a handshake with each of these sets of headers. Status 101 means a connection.
func (s *LiveServer) ExpectHandshakes(status int, code string, all map[string][]string) {
	s.T.Helper()
	for name, headers := range all {
		conn, _, got := s.Handshake(LivePath, headers...)
		if status == http.StatusSwitchingProtocols {
			if got.StatusCode != status || got.Header.Get("Sec-WebSocket-Protocol") != "writer-presence.v1" || got.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
				s.T.Errorf("%s: got %v, want a connection", name, got)
			}
		} else {
			body, _ := io.ReadAll(got.Body)
			direct := s.Do("GET", LivePath, nil, s.HandshakeHeaders(headers...)...)
			for _, got := range []Response{{got.StatusCode, got.Header, string(body)}, direct} {
				if got.Status != status || !strings.Contains(got.Body, `"code":"`+code+`"`) {
					s.T.Errorf("%s: got %d %s, want %d %s", name, got.Status, got.Body, status, code)
				}
			}
		}
		conn.Close()
	}
}
