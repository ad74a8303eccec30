package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/httpserver"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// serverTLS returns a configuration with a new self-signed certificate.
func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: private}}}
}

// readList reads a list of size bytes over TLS at bits per second, as the answer to a request or as
// a live frame, and returns how long that took.
func readList(t *testing.T, live bool, size, bits int) (took time.Duration, err error) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		l := servertest.NewPipeListener()
		ctx, end := context.WithCancel(context.Background())
		var serving sync.WaitGroup
		defer serving.Wait()
		defer end()
		secure := tls.NewListener(l, serverTLS(t))
		if live {
			people := &servertest.LiveServer{Server: w, Listener: l}
			people.AddUsers(size / 250)
			serving.Go(func() { w.Handler.Serve(ctx, secure) })
		} else {
			list := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.Write(bytes.Repeat([]byte("x"), size)) })
			serving.Go(func() { httpserver.Serve(ctx, secure, list, httpserver.Options{Log: slog.New(slog.DiscardHandler)}) })
		}
		serving.Go(func() { w.Handler.Run(ctx) })
		raw, _ := l.Dial()
		defer raw.Close()
		conn := tls.Client(servertest.SlowReader{Conn: raw, PerSecond: bits / 8}, &tls.Config{InsecureSkipVerify: true})
		if err = conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		defer func() { took = time.Since(began) }()
		r := bufio.NewReader(conn)
		if !live {
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", w.Host)
			var answer *http.Response
			if answer, err = http.ReadResponse(r, nil); err == nil {
				_, err = io.Copy(io.Discard, answer.Body)
			}
			return
		}
		io.WriteString(conn, servertest.HandshakeRequest(w.Host, servertest.LivePath, "Authorization", "Bearer "+w.As("reader", "1").Token))
		if _, err = http.ReadResponse(r, nil); err != nil {
			return
		}
		go conn.Write(servertest.MaskedFrame(0x81, []byte(`{"type": "hello", "session": "slow"}`)))
		for {
			var text []byte
			if _, text, err = servertest.ReadFrame(r); err != nil {
				return
			}
			var m servertest.Message
			if json.Unmarshal(text, &m) == nil && m.Type == "snapshot" {
				return
			}
		}
	})
	return took, err
}

// Over TLS a write cannot go on after a timeout, so a client has to take a whole chunk within 10 s.
// Chunks are small enough that the limit of 2 minutes is what cuts a slow reader of the list.
func TestListGetsThroughTLSAt18KilobitsPerSecond(t *testing.T) {
	const size = 250_000
	for name, live := range map[string]bool{"answer": false, "live frame": true} {
		t.Run(name, func(t *testing.T) {
			if took, err := readList(t, live, size, 18_000); err != nil {
				t.Errorf("%d bytes at 18,000 bit/s broke off after %v: %v", size, took, err)
			}
			// At 8,000 bit/s a chunk takes more than 10 s.
			if took, err := readList(t, live, size, 8_000); err == nil || took < 10*time.Second || took > 40*time.Second {
				t.Errorf("%d bytes at 8,000 bit/s ended after %v with %v; want them cut between 10 and 40 s", size, took, err)
			}
		})
	}
}
