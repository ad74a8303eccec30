package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/lxzan/gws"
)

// dialWebSocket opens the WebSocket of a live connection. Its messages go to handler once ReadLoop runs. Headers come in
// pairs.
func dialWebSocket(handler gws.Event, url, project string, headers ...string) (*gws.Conn, error) {
	h := http.Header{"Origin": {url}, "Sec-WebSocket-Protocol": {"writer-presence.v1"}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	conn, _, err := gws.NewClient(handler, &gws.ClientOption{
		Addr: "ws" + url[len("http"):] + "/writer/api/project/" + project + "/presence/live/", RequestHeader: h, ReadBufferSize: 512,
	})
	return conn, err
}

// liveMessage is a message of the server on a live connection.
type liveMessage struct{ Type, Code string }

// liveClient is a live connection with the messages that it has received.
type liveClient struct {
	gws.BuiltinEventHandler
	*gws.Conn
	received chan liveMessage
	closed   chan struct{}
}

func (c *liveClient) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	var message liveMessage
	json.Unmarshal(m.Bytes(), &message)
	c.received <- message
}

func (c *liveClient) OnClose(*gws.Conn, error) { close(c.closed) }

// dialLive opens a live connection. Headers come in pairs.
func dialLive(url, project string, headers ...string) (*liveClient, error) {
	c := &liveClient{received: make(chan liveMessage, 1000), closed: make(chan struct{})}
	conn, err := dialWebSocket(c, url, project, headers...)
	if err != nil {
		return nil, err
	}
	c.Conn = conn
	go conn.ReadLoop()
	return c, nil
}

// send sends a message and returns "ack", or "error" and the code of the error.
func (c *liveClient) send(message string) (answer string) {
	c.WriteString(message)
	timeout := time.After(10 * time.Second)
	for {
		select {
		case m := <-c.received:
			if m.Type == "ack" || m.Type == "error" {
				return m.Type + m.Code
			}
		case <-c.closed:
			if len(c.received) == 0 { // messages that came before the close count first
				return "the connection was closed"
			}
		case <-timeout:
			return "no answer in 10 s"
		}
	}
}
