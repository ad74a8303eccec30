package wire

import (
	"encoding/json"
	"testing"
)

// BenchmarkDecode is the measurement behind the fast path: strictjson and encoding/json are the yardsticks.
func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"section":"manuscript/abstract","session":"3J8sQ0c2","seq":17,"activity":"editing","known_version":1762189200000}`)
	for name, decode := range map[string]func(*Update) error{
		"fast path":     func(u *Update) error { return Decode(body, u) },
		"strictjson":    func(u *Update) error { return decodeStrict(body, u) },
		"encoding/json": func(u *Update) error { return json.Unmarshal(body, u) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := decode(new(Update)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
