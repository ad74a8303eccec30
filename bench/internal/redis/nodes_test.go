package redis

import (
	"math"
	"testing"
)

// In rooms of 10 and of one a client takes 8 + 20/10 and 8 + 20.
func TestSplitSeparatesConnectionAndRoom(t *testing.T) {
	if connection, room := split(10, 28); math.Abs(connection-8) > 1e-9 || math.Abs(room-20) > 1e-9 {
		t.Errorf("a connection takes %v and a room %v; want 8 and 20", connection, room)
	}
}
