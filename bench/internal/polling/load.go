package polling

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// request is sent again and again. At seqAt, if that is not 0, stands the sequence number,
// which grows with each sending; the byte at flipAt, if that is not 0, alternates.
type request struct {
	text          []byte
	seqAt, flipAt int
	seq           int64
	flip          [2]byte
}

// firstSeq has as many digits as all sequence numbers that follow it.
const firstSeq = 1_000_000_000

func (r *request) next() []byte {
	if r.seqAt > 0 {
		r.seq++
		strconv.AppendInt(r.text[:r.seqAt], r.seq, 10)
	}
	if r.flipAt > 0 {
		r.text[r.flipAt] = r.flip[r.seq%2]
	}
	return r.text
}

// client sends its requests one after the other over one connection.
type client struct {
	requests []*request
	conn     *harness.Conn
	sent     int
}

func (c *client) send() error {
	text := c.requests[c.sent%len(c.requests)].next()
	c.sent++
	return c.conn.Write(text)
}

// Result is what one round measured.
type Result struct {
	CPU  float64 `row:"µs CPU per request"`
	Rate float64 `row:"requests a second"`
}

func (r Result) String() string { return fmt.Sprintf("%.2f, %.0f", r.CPU, r.Rate) }

// Load is a server with its clients.
type Load struct {
	run     *harness.Run
	server  *harness.Process
	cpu     func(...*harness.Process) float64 // of the server so far
	clients []*client
}

// Round has all clients send for a while.
func (l *Load) Round(d time.Duration) Result {
	for _, c := range l.clients {
		conn, err := harness.Dial(l.server.Address)
		l.run.Check(err)
		defer conn.Close()
		c.conn = conn
	}
	before, began := l.cpu(l.server), time.Now()
	answers := drive(l.run, l.clients, began.Add(d))
	took := time.Since(began)
	return Result{CPU: (l.cpu(l.server) - before) / float64(answers), Rate: float64(answers) / took.Seconds()}
}

// drive polls one connection after the other, and sends the next request once the answer is complete.
func drive(r *harness.Run, clients []*client, until time.Time) (answers int) {
	for _, c := range clients {
		r.Check(c.send())
	}
	buffer := make([]byte, 128<<10)
	answered := false
	read := func(in []byte) (int, error) {
		n, err := responseLength(in)
		answered = n > 0
		return n, err
	}
	for turn := 0; turn%64 != 0 || time.Now().Before(until); turn++ {
		for _, c := range clients {
			answered = false
			r.Check(c.conn.Read(buffer, read))
			if answered {
				answers++
				r.Check(c.send())
			}
		}
	}
	return answers
}

var (
	endOfHeader   = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// responseLength returns the length of the response that text begins with, 0 if it is incomplete.
// Its status must be 200 or 304.
func responseLength(text []byte) (int, error) {
	end := bytes.Index(text, endOfHeader)
	if end < 0 {
		return 0, nil
	}
	header := text[:end+2]
	if !bytes.HasPrefix(header, []byte("HTTP/1.1 200")) && !bytes.HasPrefix(header, []byte("HTTP/1.1 304")) {
		return 0, fmt.Errorf("answer: %s", text)
	}
	body := 0
	if at := bytes.Index(header, contentLength); at >= 0 {
		digits, _, _ := bytes.Cut(header[at+len(contentLength):], []byte("\r"))
		var err error
		if body, err = strconv.Atoi(string(digits)); err != nil {
			return 0, err
		}
	}
	if n := end + len(endOfHeader) + body; n <= len(text) {
		return n, nil
	}
	return 0, nil
}

// ask sends a request once and returns the body of the answer.
func ask(r *harness.Run, server *harness.Process, q *request) []byte {
	conn, err := net.Dial("tcp", server.Address)
	r.Check(err)
	defer conn.Close()
	_, err = conn.Write(q.next())
	r.Check(err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	r.Check(err)
	body, err := io.ReadAll(response.Body)
	r.Check(err)
	return body
}
