package live

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// CentrifugoUsers returns users with connection tokens that are signed with a secret. The server adds their names to
// what they publish, as presence has the names of users.
func CentrifugoUsers(secret string, n int) []harness.User {
	users := make([]harness.User, n)
	encode := base64.RawURLEncoding.EncodeToString
	for i := range users {
		name := fmt.Sprintf("Writer %d", i)
		text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(fmt.Appendf(nil, `{"sub":"%d","info":{"username":"%s"}}`, i+1, name))
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(text))
		users[i] = harness.User{Name: name, Token: text + "." + encode(mac.Sum(nil))}
	}
	return users
}

// centrifugo has several messages in a frame, a line each. Its pings and pongs are empty messages.
type centrifugo struct{}

var (
	emptyMessage = []byte(`{}`)
	publication  = []byte(`"pub":{`)
	joinPush     = []byte(`"join":{`)
	leavePush    = []byte(`"leave":{`)
	connected    = []byte(`"connect":{`)
	subscribed   = []byte(`"subscribe":{`)
	published    = []byte(`"publish":{`)
)

func (centrifugo) path(*Client) string      { return "/connection/websocket" }
func (centrifugo) subprotocol() string      { return "" }
func (centrifugo) heartbeat(*Pool, *Client) {} // the server keeps users present while they are connected

func (centrifugo) join(p *Pool, c *Client) {
	c.seq++
	p.send(c, `{"id":%d,"connect":{"token":"%s"}}`, c.seq, c.user.Token)
}

func (centrifugo) change(p *Pool, c *Client) {
	c.seq++
	p.send(c, `{"id":%d,"publish":{"channel":"%s","data":{"section":"c%08d","activity":"editing"}}}`, c.seq, c.room, c.section)
}

func (centrifugo) receive(p *Pool, c *Client, now time.Time, text []byte) error {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		switch {
		case bytes.Equal(line, emptyMessage):
			p.send(c, "{}")
		case bytes.Contains(line, publication):
			p.deliver(c, now, line)
		case bytes.Contains(line, joinPush), bytes.Contains(line, leavePush):
		case bytes.Contains(line, connected):
			c.seq++
			p.send(c, `{"id":%d,"subscribe":{"channel":"%s"}}`, c.seq, c.room)
		case bytes.Contains(line, subscribed):
			p.join(c, now)
		case bytes.Contains(line, published):
			p.acknowledge(c, now)
		default:
			return fmt.Errorf("Centrifugo sent %q", line)
		}
	}
	return nil
}
