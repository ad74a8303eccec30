package servertest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// FinBit and an opcode make the first byte of a frame (RFC 6455, 5.2).
const (
	FinBit         = 0x80
	OpContinuation = 0x0 // continuation of a message
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xa
)

// Frame is a WebSocket frame from the server.
type Frame struct {
	FirstByte byte
	Payload   []byte
}

func (f Frame) String() string { return fmt.Sprintf("[%#x %q]", f.FirstByte, f.Payload) }

// CloseCode returns the code of a close frame, 0 if there is none.
func (f Frame) CloseCode() int {
	if f.FirstByte != FinBit|OpClose || len(f.Payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(f.Payload))
}

// Message decodes a text frame. It returns the zero Message for other frames.
func (f Frame) Message() (m Message) {
	if f.FirstByte == FinBit|OpText {
		json.Unmarshal(f.Payload, &m)
	}
	return m
}

// IsState reports whether the frame is a snapshot or a delta.
func (f Frame) IsState() bool {
	kind := f.Message().Type
	return kind == "delta" || kind == "snapshot"
}

// MaskedFrame encodes a frame as clients send it (RFC 6455, 5.2).
func MaskedFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// ReadFrame reads an unmasked frame.
func ReadFrame(r *bufio.Reader) (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	if head[1] >= 126 {
		length := make([]byte, 2)
		if head[1] == 127 {
			length = make([]byte, 8)
		}
		if _, err := io.ReadFull(r, length); err != nil {
			return 0, nil, err
		}
		n = 0
		for _, b := range length {
			n = n<<8 | uint64(b)
		}
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}
