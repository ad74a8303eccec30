package live_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

// RFC 6455, 4.2.1 and 4.4.
func TestInvalidHandshakeIs426(t *testing.T) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		for name, change := range map[string][]string{
			"no key": {"Sec-WebSocket-Key", ""}, "a key that is not base64": {"Sec-WebSocket-Key", "!!!!IHNhbXBsZSBub25jZQ=="}, "a key without padding": {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"},
			"a key of 15 bytes": {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"}, "a key of 17 bytes": {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWE="},
			"no version": {"Sec-WebSocket-Version", ""}, "version 0": {"Sec-WebSocket-Version", "0"}, "version 7": {"Sec-WebSocket-Version", "7"}, "version 8": {"Sec-WebSocket-Version", "8"}, "version 12": {"Sec-WebSocket-Version", "12"},
			"version 14": {"Sec-WebSocket-Version", "14"}, "version 130": {"Sec-WebSocket-Version", "130"}, "a version that is none": {"Sec-WebSocket-Version", "x"},
			"no Upgrade": {"Upgrade", ""}, "Upgrade: h2c": {"Upgrade", "h2c"}, "Upgrade: websockets": {"Upgrade", "websockets"},
			"no Connection": {"Connection", ""}, "Connection: keep-alive": {"Connection", "keep-alive"}, "Connection: Upgraded": {"Connection", "Upgraded"},
			"no subprotocol": {"Sec-WebSocket-Protocol", ""}, "another subprotocol": {"Sec-WebSocket-Protocol", "chat"}, "a prefix of ours": {"Sec-WebSocket-Protocol", "writer-presence"},
			"ours in capitals": {"Sec-WebSocket-Protocol", "Writer-Presence.V1"}, "ours as a part": {"Sec-WebSocket-Protocol", "writer-presence.v10, xwriter-presence.v1"},
		} {
			b := servertest.OpenRaw(t, w.dialRaw(), servertest.HandshakeRequest(w.Host, servertest.LivePath, append(change, "Authorization", "Bearer "+w.As("Alice", "1").Token)...))
			if b.Response.StatusCode == http.StatusSwitchingProtocols {
				t.Errorf("%s: got 101, want 426", name)
				continue
			}
			body, _ := io.ReadAll(b.Response.Body)
			var failure struct{ Code string }
			json.Unmarshal(body, &failure)
			h := b.Response.Header
			if b.Response.StatusCode != 426 || failure.Code != "upgrade_required" || h.Get("Upgrade") != "websocket" {
				t.Errorf("%s: got %d %s, Upgrade: %q, want 426, upgrade_required, websocket", name, b.Response.StatusCode, body, h.Get("Upgrade"))
			}
			if got := h.Get("Sec-WebSocket-Version"); got != "13" {
				t.Errorf("%s: Sec-WebSocket-Version: got %q, want 13 (RFC 6455, 4.4)", name, got)
			}
			b.Conn.Close()
		}
	})
}

func TestHandshakeNeedsGETAndHTTP11(t *testing.T) {
	runFrames(t, func(t *testing.T, w *frameServer) {
		whole := servertest.HandshakeRequest(w.Host, servertest.LivePath, "Authorization", "Bearer "+w.As("Alice", "1").Token)
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			b := servertest.OpenRaw(t, w.dialRaw(), strings.Replace(whole, "GET", method, 1))
			if b.Response.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(b.Response.Header.Get("Allow"), "GET") {
				t.Errorf("%s: got %d, Allow: %q, want 405 and GET", method, b.Response.StatusCode, b.Response.Header.Get("Allow"))
			}
		}
		if b := servertest.OpenRaw(t, w.dialRaw(), strings.Replace(whole, "HTTP/1.1", "HTTP/1.0", 1)); b.Response.StatusCode != http.StatusUpgradeRequired && b.Response.StatusCode != http.StatusHTTPVersionNotSupported {
			t.Errorf("HTTP/1.0: got %d, want 426 or 505", b.Response.StatusCode)
		}
		w.ExpectListed("")
	})
}

func TestValidHandshakeVariantsAreAccepted(t *testing.T) {
	for name, change := range map[string]struct {
		without string
		lines   []string
	}{
		"as it stands":                       {},
		"with a better known key":            {"Sec-WebSocket-Key", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==  "}},
		"names in small letters":             {"Upgrade", []string{"upgrade: websocket"}},
		"values in other letters":            {"Upgrade", []string{"Upgrade: WebSocket"}},
		"Connection as Firefox has it":       {"Connection", []string{"Connection: keep-alive, Upgrade"}},
		"Connection in two lines":            {"Connection", []string{"Connection: keep-alive", "Connection: upgrade"}},
		"several upgrades":                   {"Upgrade", []string{"Upgrade: h2c, websocket"}},
		"several upgrades in two lines":      {"Upgrade", []string{"Upgrade: h2c", "Upgrade: websocket"}},
		"several subprotocols":               {"Sec-WebSocket-Protocol", []string{"Sec-WebSocket-Protocol: chat, writer-presence.v1 ,x"}},
		"several subprotocols in two lines":  {"Sec-WebSocket-Protocol", []string{"Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: writer-presence.v1"}},
		"several subprotocols in two others": {"Sec-WebSocket-Protocol", []string{"Sec-WebSocket-Protocol: writer-presence.v1", "Sec-WebSocket-Protocol: writer-presence.v2"}},
		"compression":                        {"", []string{"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"}},
		"compression as it was":              {"", []string{"Sec-WebSocket-Extensions: x-webkit-deflate-frame, permessage-deflate; server_no_context_takeover; client_no_context_takeover"}},
	} {
		t.Run(name, func(t *testing.T) {
			runFrames(t, func(t *testing.T, w *frameServer) {
				request := servertest.HandshakeRequest(w.Host, servertest.LivePath, change.without, "", "Authorization", "Bearer "+w.As("Alice", "1").Token)
				lines := strings.Join(append(slices.Clone(change.lines), ""), "\r\n")
				b := servertest.OpenRaw(t, w.dialRaw(), strings.Replace(request, "\r\n", "\r\n"+lines, 1))
				h := b.Response.Header
				if b.Response.StatusCode != http.StatusSwitchingProtocols {
					body, _ := io.ReadAll(b.Response.Body)
					t.Fatalf("got %d %s, want 101", b.Response.StatusCode, body)
				}
				for name, want := range map[string]string{
					"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
					"Sec-Websocket-Protocol": "writer-presence.v1",
				} {
					if got := h[name]; len(got) != 1 || got[0] != want {
						t.Errorf("%s: got %q, want %q", name, got, want)
					}
				}
				if got := h["Sec-Websocket-Extensions"]; got != nil {
					t.Errorf("Sec-WebSocket-Extensions: got %q, want none", got)
				}
				b.Send(servertest.MaskedFrame(servertest.FinBit|servertest.OpText, []byte(servertest.RawHello)))
				b.ExpectAck(1)
				b.Send(servertest.MaskedFrame(servertest.FinBit|0x40|servertest.OpText, []byte(stealing))) // as if compressed
				b.ExpectClose(1002)
			})
		})
	}
}
