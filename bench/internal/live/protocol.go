package live

import (
	"bytes"
	"fmt"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// Protocol is what clients and a kind of server say to each other after the handshake.
type Protocol interface {
	path(c *Client) string
	subprotocol() string
	join(p *Pool, c *Client)
	heartbeat(p *Pool, c *Client)
	change(p *Pool, c *Client) // sends the section of a client, which is new
	receive(p *Pool, c *Client, now time.Time, text []byte) error
}

// The protocols.
var (
	Presence   Protocol = presence{}   // of the measured server
	Bare       Protocol = bare{}       // of the yardstick, which gets the messages that it has to broadcast
	Centrifugo Protocol = centrifugo{} // JSON; a change of section is a publication by the client
)

var (
	ackStart      = []byte(`{"type":"ack"`)
	deltaStart    = []byte(`{"type":"delta"`)
	snapshotStart = []byte(`{"type":"snapshot"`)
	baseField     = []byte(`"base":`)
	versionField  = []byte(`"version":`)
)

type presence struct{}

func (presence) path(c *Client) string {
	return harness.APIPrefix + "/project/" + c.room + "/presence/live/"
}

func (presence) subprotocol() string { return "writer-presence.v1" }

// join asks for a snapshot with known_version 0.
func (presence) join(p *Pool, c *Client) {
	if c.section == 0 {
		p.nextSection(c)
	}
	c.seq++
	p.send(c, `{"type":"hello","token":"%s","session":"%s","seq":%d,"section":"c%08d","activity":"editing","unless_occupied":true,"known_version":0}`,
		c.user.Token, c.session, c.seq, c.section)
}

// heartbeat sends the section of the last change again.
func (presence) heartbeat(p *Pool, c *Client) {
	c.seq++
	p.send(c, `{"type":"update","seq":%d,"section":"c%08d","activity":"editing","unless_occupied":true}`, c.seq, c.section)
}

func (s presence) change(p *Pool, c *Client) { s.heartbeat(p, c) }

func (presence) receive(p *Pool, c *Client, now time.Time, text []byte) error {
	switch {
	case bytes.HasPrefix(text, ackStart):
		p.acknowledge(c, now)
	case bytes.HasPrefix(text, deltaStart):
		base, _, _ := numberAfter(text, baseField)
		if base != c.version {
			return fmt.Errorf("a delta is based on version %d, and the client has version %d", base, c.version)
		}
		c.version, _, _ = numberAfter(text, versionField)
		p.deliver(c, now, text)
	case bytes.HasPrefix(text, snapshotStart):
		c.version, _, _ = numberAfter(text, versionField)
		if c.state == waiting {
			p.join(c, now)
		}
	default:
		return fmt.Errorf("the server sent %q", text)
	}
	return nil
}

type bare struct{}

func (bare) path(c *Client) string    { return "/" + c.room }
func (bare) subprotocol() string      { return Presence.subprotocol() }
func (bare) heartbeat(*Pool, *Client) {}

func (bare) join(p *Pool, c *Client) {
	c.state = joined
	p.joined++
}

func (bare) change(p *Pool, c *Client) {
	p.send(c, `{"type":"delta","base":0,"version":0,"changed":[{"section":"c%08d"}]}`, c.section)
}

func (bare) receive(p *Pool, c *Client, now time.Time, text []byte) error {
	return Presence.receive(p, c, now, text)
}
