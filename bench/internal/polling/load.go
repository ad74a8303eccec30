package polling

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
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

// Round has all clients send for a while, each as soon as it has the last answer.
func (l *Load) Round(d time.Duration) Result {
	return l.measure(func(began time.Time) (answers int) { return drive(l.run, l.clients, math.MaxInt, began.Add(d)) })
}

// RoundAt has the clients send perSecond requests a second, all together, for d.
func (l *Load) RoundAt(perSecond int, d time.Duration) Result {
	return l.measure(func(began time.Time) (answers int) {
		return drivePaced(l.run, l.clients, began, time.Second/time.Duration(perSecond), d)
	})
}

func (l *Load) measure(send func(began time.Time) (answers int)) Result {
	defer l.connect()()
	before, began := l.cpu(l.server), time.Now()
	answers := send(began)
	took := time.Since(began)
	return Result{CPU: (l.cpu(l.server) - before) / float64(answers), Rate: float64(answers) / took.Seconds()}
}

const sendTimeout = 3 * time.Minute

// Send has the clients send n requests in all, and returns once all are answered. It fails if that takes longer than
// sendTimeout.
func (l *Load) Send(n int) {
	defer l.connect()()
	if answers := drive(l.run, l.clients, n, time.Now().Add(sendTimeout)); answers < n {
		l.run.Check(fmt.Errorf("%d of %d requests were answered in %v", answers, n, sendTimeout))
	}
}

func (l *Load) connect() (disconnect func()) {
	for _, c := range l.clients {
		var err error
		c.conn, err = harness.Dial(l.server.Address)
		l.run.Check(err)
	}
	return func() {
		for _, c := range l.clients {
			c.conn.Close()
		}
	}
}

// drive polls one connection after the other, and sends the next request once the answer is complete. It sends at most
// limit requests, and returns once they are answered, or at a time.
func drive(r *harness.Run, clients []*client, limit int, until time.Time) (answers int) {
	sent := 0
	send := func(c *client) {
		if sent < limit {
			sent++
			r.Check(c.send())
		}
	}
	for _, c := range clients {
		send(c)
	}
	buffer := make([]byte, 128<<10)
	answered := false
	read := func(in []byte) (int, error) {
		n, err := responseLength(in)
		answered = n > 0
		return n, err
	}
	for turn := 0; answers < limit && (turn%64 != 0 || time.Now().Before(until)); turn++ {
		for _, c := range clients {
			answered = false
			r.Check(c.conn.Read(buffer, read))
			if answered {
				answers++
				send(c)
			}
		}
	}
	return answers
}

// drivePaced has the clients send in turn, one request each interval for d, and at most one unanswered request for each
// client. It returns when all are answered.
func drivePaced(r *harness.Run, clients []*client, began time.Time, interval, d time.Duration) (answers int) {
	sent, buffer := 0, make([]byte, 128<<10)
	read := func(in []byte) (int, error) {
		n, err := responseLength(in)
		if n > 0 {
			answers++
		}
		return n, err
	}
	for due := time.Duration(0); due < d || answers < sent; {
		if due < d && time.Since(began) >= due && sent-answers < len(clients) {
			r.Check(clients[sent%len(clients)].send())
			sent++
			due += interval
		}
		if answers < sent { // oldest first: a client has only one request under way
			r.Check(clients[answers%len(clients)].conn.Read(buffer, read))
		}
	}
	return answers
}

var (
	endOfHeader   = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
	notDurable    = []byte(`"durable":false`)
)

// responseLength returns the length of the response that text begins with, 0 if it is incomplete.
// Its status must be 200 or 304, and what it answers must be durable.
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
	n := end + len(endOfHeader) + body
	if n > len(text) {
		return 0, nil
	}
	if bytes.Contains(text[end:n], notDurable) {
		return 0, errors.New("the server answered an update before its commit, which took too long")
	}
	return n, nil
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
