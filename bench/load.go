package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
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
}

// load lets all clients send for a round, and tells what the server spent.
func (p *process) load(clients []*client) (figure, error) {
	before, err := p.cpuTime()
	if err != nil {
		return figure{}, err
	}
	began := time.Now()
	counts, errs := make([]int, len(clients)), make([]error, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() { counts[i], errs[i] = c.run(began.Add(roundTime)) })
	}
	all.Wait()
	took := time.Since(began)
	after, err := p.cpuTime()
	if err != nil {
		return figure{}, err
	}
	sent := 0
	for i := range clients {
		if errs[i] != nil {
			return figure{}, errs[i]
		}
		sent += counts[i]
	}
	return figure{
		cpu:  float64((after - before).Microseconds()) / float64(sent),
		rate: float64(sent) / took.Seconds(),
	}, nil
}

func (c *client) run(until time.Time) (sent int, err error) {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	for time.Now().Before(until) {
		for _, r := range c.requests {
			if _, err := conn.Write(r.next()); err != nil {
				return sent, err
			}
			if err := skipAnswer(in); err != nil {
				return sent, err
			}
			sent++
		}
	}
	return sent, nil
}

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

// skipAnswer reads one answer, which must be a good one of known length.
func skipAnswer(in *bufio.Reader) error {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200")) && !bytes.HasPrefix(status, []byte("HTTP/1.1 304")) {
		rest, _ := io.ReadAll(io.LimitReader(in, 600))
		return fmt.Errorf("answer: %s%s", status, rest)
	}
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err = in.Discard(length)
	return err
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
			if _, err := http.DefaultClient.Do(put); err != nil {
				return nil, err
			}
			method, rest, _ := bytes.Cut(r.text, []byte(" "))
			_, rest, _ = bytes.Cut(rest, []byte(" "))
			text := slicesOf(method, []byte(" "+name+" "), rest)
			twin.requests = append(twin.requests, &request{text: text})
		}
		twins = append(twins, twin)
	}
	return twins, nil
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func answerOf(address string, r *request) ([]byte, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(r.next()); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(answer.Body)
}
