package live

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// The text of the frames is that of Centrifugo 6.9.1.
func TestCentrifugoClientJoinsPublishesAndCountsWhatItGets(t *testing.T) {
	err := harness.Env{Dir: t.TempDir(), Out: t.Output()}.Run(func(r *harness.Run) {
		p := NewPool(r)
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		r.Check(err)
		defer syscall.Close(fds[1])
		clients := p.Add(&harness.Process{}, Centrifugo, CentrifugoUsers("a secret", 2), RoomSize)
		c := clients[0]
		c.conn, c.state = &harness.Conn{FD: fds[0]}, waiting
		get := func(text string) {
			t.Helper()
			frame := append([]byte{0x81, byte(len(text))}, text...)
			if len(text) > 125 {
				frame = append([]byte{0x81, 126, byte(len(text) >> 8), byte(len(text))}, text...)
			}
			if n, err := p.handle(c, time.Now(), frame); n != len(frame) || err != nil {
				t.Errorf("%s: used %d of %d bytes, %v", text, n, len(frame), err)
			}
		}
		sends := func(want string) {
			t.Helper()
			buffer := make([]byte, 4096)
			n, err := syscall.Read(fds[1], buffer)
			if r.Check(err); !strings.HasSuffix(string(buffer[:n]), want) {
				t.Errorf("sent %q; want %s at the end", buffer[:n], want)
			}
		}

		Centrifugo.join(p, c)
		sends(`{"id":1,"connect":{"token":"` + c.user.Token + `"}}`)
		get(`{"id":1,"connect":{"client":"5e7fe5a1","version":"0.0.0 OSS","ping":25,"pong":true}}`)
		sends(`{"id":2,"subscribe":{"channel":"room-0"}}`)
		get(`{"id":2,"subscribe":{}}` + "\n" + `{"push":{"channel":"room-0","join":{"info":{"user":"2","client":"63d31af9","conn_info":{"username":"Writer 1"}}}}}`)
		if c.state != joined || p.joined != 1 {
			t.Errorf("the client is in state %d; want joined", c.state)
		}
		get(`{}`)
		sends(`{}`)
		p.changeSection(c)
		sends(`{"id":3,"publish":{"channel":"room-0","data":{"section":"c00000001","activity":"editing"}}}`)
		p.nextSection(clients[1])
		publication := func(section string) string {
			return `{"push":{"channel":"room-0","pub":{"data":{"section":"` + section + `","activity":"editing"},"info":{"user":"1","client":"2c429751","conn_info":{"username":"Writer 0"}}}}}`
		}
		get(publication("c00000001") + "\n" + `{"id":3,"publish":{}}` + "\n" + publication("c00000002"))
		if p.delivered != 2 || len(p.deltaLatency) != 1 || p.acks != 1 || p.bytes != 2*len(publication("c00000001")) {
			t.Errorf("delivered %d changes, %d of them of others, %d acks, %d bytes", p.delivered, len(p.deltaLatency), p.acks, p.bytes)
		}
		if err := Centrifugo.receive(p, c, time.Now(), []byte(`{"id":4,"error":{"code":103,"message":"permission denied"}}`)); err == nil {
			t.Error("an error of the server does not end the scenario")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
