package live

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/lxzan/gws"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
)

// yardstick is a server that writes what it receives to all of the room, in frames of a fixed
// size. It knows no users, sends no pings and stores nothing.
type yardstick struct {
	gws.BuiltinEventHandler
	frameSize int

	mu    sync.Mutex
	rooms map[string][]*gws.Conn
}

// session replaces the library's map for each connection, which would count as memory.
type session struct {
	gws.SessionStorage // nil
	room               string
}

// ServeYardstick serves with frames of a size in bytes. It returns only on errors.
func ServeYardstick(frameSize string) error {
	size, err := strconv.Atoi(frameSize)
	if err != nil {
		return err
	}
	y := &yardstick{frameSize: size, rooms: map[string][]*gws.Conn{}}
	upgrader := gws.NewUpgrader(y, &gws.ServerOption{
		ReadBufferSize: 512, // like the measured server
		SubProtocols:   []string{"writer-presence.v1"},
		NewSession:     func() gws.SessionStorage { return &session{} },
	})
	return harness.ServeYardstick(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		socket.Session().(*session).room = r.URL.Path
		y.mu.Lock()
		y.rooms[r.URL.Path] = append(y.rooms[r.URL.Path], socket)
		y.mu.Unlock()
		go socket.ReadLoop()
	}))
}

func (y *yardstick) OnClose(socket *gws.Conn, _ error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	room := socket.Session().(*session).room
	y.rooms[room] = slices.DeleteFunc(y.rooms[room], func(s *gws.Conn) bool { return s == socket })
}

func (y *yardstick) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	text := message.Bytes()
	text = append(text, bytes.Repeat([]byte{' '}, max(0, y.frameSize-len(text)))...)
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, s := range y.rooms[socket.Session().(*session).room] {
		s.WriteMessage(gws.OpcodeText, text)
	}
}
