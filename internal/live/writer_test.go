package live

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/writer-presence/writer-presence/internal/netio"
)

// through wraps a connection as httpserver does.
type through struct{ netio.Socket }

// tcpWriter returns a writer and the client's side of its connection.
func tcpWriter(t *testing.T) (o *writer, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn.(*net.TCPConn).SetWriteBuffer(4096)
	o = &writer{}
	o.open(&through{netio.NewSocket(conn)}, prometheus.NewCounter(prometheus.CounterOpts{Name: "sent"}), func() {})
	t.Cleanup(func() { conn.Close(); client.Close() })
	return o, client
}

func TestOfferNeverBlocksAndFinishesCutFrameFirst(t *testing.T) {
	o, client := tcpWriter(t)
	const size = 1 << 20 // more than the kernel takes at once
	var want bytes.Buffer
	var rest []byte
	var finish func([]byte)
	for n := byte('a'); rest == nil; n++ { // until the kernel takes no more
		frame := bytes.Repeat([]byte{n}, size)
		want.Write(frame)
		rest, finish = o.offer(frame)
	}
	if len(rest) == size {
		t.Fatal("no frame was cut, so this test shows nothing")
	}
	late := []byte("late")
	var writing sync.WaitGroup
	writing.Go(func() { o.write(late) })
	offered := []byte("offered")
	left, write := o.offer(offered)
	if !bytes.Equal(left, offered) {
		t.Fatalf("offer of %q during a cut frame: got %q left, want all", offered, left)
	}
	writing.Go(func() { finish(rest) })
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got the frames changed or out of order, %v", err)
	}
	writing.Wait()
	write(left)
	if rest, _ := o.offer([]byte("!")); rest != nil {
		t.Errorf("offer while nobody writes: got %q left, want nothing", rest)
	}
	o.close([]byte{closeHeader, 0})
	if rest, finish := o.offer([]byte("after the end")); rest != nil {
		finish(rest)
	}
	o.write([]byte("after the end"))
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(client); err != nil || string(got) != "lateoffered!\x88\x00" {
		t.Errorf("after the frames: got %q, %v, want lateoffered! and the close frame", got, err)
	}
	if sent, want := int(testutil.ToFloat64(o.sent)), want.Len()+len("lateoffered!\x88\x00"); sent != want {
		t.Errorf("counter: got %d bytes sent, want %d", sent, want)
	}
}

const closeHeader = 0x88
