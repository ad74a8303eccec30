package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

// request is one that is sent over and over. If seqAt is not 0, ten digits stand there
// that grow with each sending; flip are two bytes of which the one at flipAt is in turn.
type request struct {
	text   []byte
	seqAt  int
	seq    int64
	flipAt int
	flip   [2]byte
}

// client sends its requests one after the other, over its own connection.
type client struct {
	address  string
	requests []*request

	file *os.File
	fd   int
	next int
	in   []byte // what has come of the answer
}

// load lets all clients send for a round, and tells what the server spent.
func (p *process) load(clients []*client) (figure, error) {
	for _, c := range clients {
		if err := c.dial(); err != nil {
			return figure{}, err
		}
		defer c.file.Close()
	}
	before, err := p.cpuTime()
	if err != nil {
		return figure{}, err
	}
	began := time.Now()
	sent, err := drive(clients, began.Add(roundTime))
	if err != nil {
		return figure{}, err
	}
	took := time.Since(began)
	after, err := p.cpuTime()
	return figure{
		cpu:  float64((after - before).Microseconds()) / float64(sent),
		rate: float64(sent) / took.Seconds(),
	}, err
}

// drive asks one connection after the other for its answer, and never sleeps: to wake
// a sleeping core is dear on a virtual machine, and would be charged to the server.
func drive(clients []*client, until time.Time) (sent int, err error) {
	for _, c := range clients {
		if err := c.send(); err != nil {
			return 0, err
		}
	}
	for turn := 0; turn%64 != 0 || time.Now().Before(until); turn++ {
		for _, c := range clients {
			answered, err := c.receive()
			if err != nil {
				return 0, err
			}
			if answered {
				sent++
				if err := c.send(); err != nil {
					return 0, err
				}
			}
		}
	}
	return sent, nil
}

func (c *client) dial() error {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		return err
	}
	defer conn.Close() // the file is a connection of its own
	if c.file, err = conn.(*net.TCPConn).File(); err != nil {
		return err
	}
	c.fd, c.in = int(c.file.Fd()), make([]byte, 0, 128<<10)
	return syscall.SetNonblock(c.fd, true)
}

func (c *client) send() error {
	c.in = c.in[:0]
	text := c.requests[c.next].sending()
	c.next = (c.next + 1) % len(c.requests)
	n, err := syscall.Write(c.fd, text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	return err
}

func (r *request) sending() []byte {
	if r.seqAt > 0 {
		r.seq++
		strconv.AppendInt(r.text[:r.seqAt], r.seq, 10)
	}
	if r.flipAt > 0 {
		r.text[r.flipAt] = r.flip[r.seq%2]
	}
	return r.text
}

var (
	endOfHeader = []byte("\r\n\r\n")
	lengthName  = []byte("\r\nContent-Length: ")
)

// receive reads what is there, and tells whether the answer is whole. It must be a good
// one, and its length known.
func (c *client) receive() (whole bool, err error) {
	n, err := syscall.Read(c.fd, c.in[len(c.in):cap(c.in)])
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false, nil
	case err != nil:
		return false, err
	case n == 0:
		return false, io.ErrUnexpectedEOF
	}
	c.in = c.in[:len(c.in)+n]
	end := bytes.Index(c.in, endOfHeader)
	if end < 0 {
		return false, nil
	}
	header := c.in[:end+2]
	if !bytes.HasPrefix(header, []byte("HTTP/1.1 200")) && !bytes.HasPrefix(header, []byte("HTTP/1.1 304")) {
		return false, fmt.Errorf("answer: %s", c.in)
	}
	length := 0
	if at := bytes.Index(header, lengthName); at >= 0 {
		digits, _, _ := bytes.Cut(header[at+len(lengthName):], []byte("\r"))
		if length, err = strconv.Atoi(string(digits)); err != nil {
			return false, err
		}
	}
	return len(c.in) == end+len(endOfHeader)+length, nil
}

// bareTwins sends each request once, and teaches the bare server its answer: the twins
// ask for that.
func bareTwins(bareAddress, oursAddress string, clients []*client) ([]*client, error) {
	var twins []*client
	for i, c := range clients {
		twin := &client{address: bareAddress}
		for j, r := range c.requests {
			name := fmt.Sprintf("/c%dr%d", i, j)
			answer, err := answerOf(oursAddress, r)
			if err != nil {
				return nil, err
			}
			put, err := http.NewRequest(http.MethodPut, "http://"+bareAddress+name, bytes.NewReader(answer))
			if err != nil {
				return nil, err
			}
			told, err := http.DefaultClient.Do(put)
			if err != nil {
				return nil, err
			}
			told.Body.Close()
			method, rest, _ := bytes.Cut(r.text, []byte(" "))
			_, rest, _ = bytes.Cut(rest, []byte(" "))
			twin.requests = append(twin.requests, &request{text: bytes.Join([][]byte{method, []byte(name), rest}, []byte(" "))})
		}
		twins = append(twins, twin)
	}
	return twins, nil
}

func answerOf(address string, r *request) ([]byte, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(r.sending()); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(answer.Body)
}
