package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/writer-presence/writer-presence/internal/netio"
)

// through wraps a connection as httpserver does.
type through struct{ net.Conn }

func (t through) Underlying() net.Conn { return t.Conn }

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
	o.open(through{conn}, prometheus.NewCounter(prometheus.CounterOpts{Name: "sent"}), func() {})
	t.Cleanup(func() { conn.Close(); client.Close() })
	return o, client
}

func TestOfferNeverBlocksAndFinishesCutFrameFirst(t *testing.T) {
	o, client := tcpWriter(t)
	var want bytes.Buffer
	var rest []byte
	var finish func([]byte)
	for n := byte('a'); rest == nil; n++ { // until the kernel takes no more
		frame := bytes.Repeat([]byte{n}, 1<<16)
		want.Write(frame)
		rest, finish = o.offer(frame)
	}
	if len(rest) == 1<<16 {
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

// A Read that tries without waiting first returns the same as one that waits: bytes, timeouts and the end.
func TestReadWaitsAndReportsTimeoutAndEnd(t *testing.T) {
	o, client := tcpWriter(t)
	read := func() (string, error) {
		b := make([]byte, 16)
		n, err := o.Read(b)
		return string(b[:n]), err
	}
	waited := make(chan string)
	go func() {
		text, err := read()
		waited <- fmt.Sprint(text, err)
	}()
	if _, err := client.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if got := <-waited; got != "late<nil>" {
		t.Errorf("a Read before the bytes arrived returned %q", got)
	}

	o.SetReadDeadline(netio.LongAgo)
	if text, err := read(); text != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline Read returned %q, %v", text, err)
	}
	o.SetReadDeadline(time.Time{})

	client.Close()
	if text, err := read(); text != "" || err != io.EOF {
		t.Errorf("after the client closed Read returned %q, %v; want EOF", text, err)
	}
	o.Close()
	if text, err := read(); text != "" || !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close Read returned %q, %v", text, err)
	}
}

// The kernel reports a reset once, so whoever reads first has to pass it on.
func TestReadReportsReset(t *testing.T) {
	o, client := tcpWriter(t)
	client.(*net.TCPConn).SetLinger(0)
	client.Close()
	if _, err := o.Read(make([]byte, 16)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset Read returned %v, want connection reset", err)
	}
}

// A host may set a socket to blocking. A raw system call that waited for it would stop the whole process at the next
// garbage collection, and this test would hang.
func TestBlockingSocketDoesNotStopTheProcess(t *testing.T) {
	o, client := tcpWriter(t)
	file, err := o.Conn.(through).Conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Fd() // makes the socket that both share blocking
	read := make(chan string)
	go func() {
		b := make([]byte, 16)
		n, _ := o.Read(b)
		read <- string(b[:n])
	}()
	for range 3 {
		runtime.Gosched() // to Read
		runtime.GC()
	}
	if _, err := client.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "late" {
		t.Errorf("read %q, want late", got)
	}
	large := bytes.Repeat([]byte("x"), 1<<20)
	for rest := []byte(nil); len(rest) == 0; { // until the socket takes no more
		rest, _ = o.offer(large)
	}
}
