package identity_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/writer-presence/writer-presence/identity"
)

func TestKeysFileIsCreatedOnceWithMode0600(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	first, err := identity.ReadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode: got %v, %v, want -rw-------", info.Mode(), err)
	}
	text, _ := os.ReadFile(path)
	if secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text))); err != nil || len(secret) < 32 {
		t.Errorf("got a key of %d bytes, %v, want at least 32", len(secret), err)
	}
	second, err := identity.ReadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(path); string(again) != string(text) {
		t.Error("the second ReadKeys changed the file")
	}
	if got, ok := second.Verify("kind", first.Sign("kind", "text")); !ok || got != "text" {
		t.Errorf("Verify by keys of the same file: got %q, %v, want text, true", got, ok)
	}
	other, err := identity.ReadKeys(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.Verify("kind", first.Sign("kind", "text")); ok {
		t.Error("two new files have the same key")
	}
}

func TestKeyRotationSignsWithTheFirstAndVerifiesWithBoth(t *testing.T) {
	old := newKeys(t, "1")
	path := filepath.Join(t.TempDir(), "secret")
	line := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(s, 32))) }
	if err := os.WriteFile(path, []byte("\n  "+line("2")+"\r\n\n"+line("1")), 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := identity.ReadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := both.Verify("kind", old.Sign("kind", "text")); !ok {
		t.Error("a signature by the old key: got invalid, want valid")
	}
	if _, ok := newKeys(t, "2").Verify("kind", both.Sign("kind", "text")); !ok {
		t.Error("the first key does not sign")
	}
	if _, ok := old.Verify("kind", both.Sign("kind", "text")); ok {
		t.Error("the second key signs, want only the first")
	}
}

func TestConcurrentStartsShareOneKeysFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	const servers = 20
	signed := make(chan string, servers)
	var starting sync.WaitGroup
	for range servers {
		starting.Go(func() {
			keys, err := identity.ReadKeys(path)
			if err != nil {
				t.Error(err)
				return
			}
			signed <- keys.Sign("kind", "text")
		})
	}
	starting.Wait()
	close(signed)
	keys, err := identity.ReadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	for text := range signed {
		if _, ok := keys.Verify("kind", text); !ok {
			t.Error("a server has another key than the file")
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("got %d files, want 1", len(left))
	}
}

func TestInvalidKeysFileErrorSaysWhatToDo(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct{ text, want string }{
		"three keys":      {good + "\n" + good + "\n" + good + "\n", "3 keys"},
		"bad base64":      {"%%%%secret%%%%\n", "openssl rand -base64 32"},
		"URL base64":      {strings.Repeat("-_", 22) + "\n", "openssl rand -base64 32"},
		"a short key":     {base64.StdEncoding.EncodeToString(make([]byte, 31)) + "\n", "31 bytes; it needs at least 32"},
		"a short old key": {good + "\n" + base64.StdEncoding.EncodeToString(make([]byte, 16)), "16 bytes; it needs at least 32"},
		"nothing":         {"", "openssl rand -base64 32"},
		"empty lines":     {"\n \n", "openssl rand -base64 32"},
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := identity.ReadKeys(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error with %q and the path", name, err, c.want)
		} else if secret := strings.TrimSpace(c.text); secret != "" && strings.Contains(err.Error(), strings.Fields(secret)[0]) {
			t.Errorf("%s: the secret is in the error: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != c.text {
			t.Errorf("%s: content: got %q, want it unchanged", name, after)
		}
	}
	missing := filepath.Join(t.TempDir(), "no such directory", "secret")
	if _, err := identity.ReadKeys(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing directory: got %v, want an error with the path", err)
	}
	if _, err := identity.NewKeys(); err == nil {
		t.Error("NewKeys without keys: got nil, want an error")
	}
}

func TestSignatureOfOneKindFailsForAnother(t *testing.T) {
	keys := newKeys(t, "k")
	for _, kinds := range [][2]string{{"dev", "visitor"}, {"visitor", "dev"}, {"dev", ""}, {"dev", "dev\x00"}, {"a", "ab"}} {
		signed := keys.Sign(kinds[0], "b.c")
		if text, ok := keys.Verify(kinds[1], signed); ok {
			t.Errorf("a text signed as %q: got %q from Verify as %q, want invalid", kinds[0], text, kinds[1])
		}
		if text, ok := keys.Verify(kinds[0], signed); !ok || text != "b.c" {
			t.Errorf("a text signed as %q: got %q, %v, want b.c, true", kinds[0], text, ok)
		}
	}
}

func TestKeysAreSafeForConcurrentUse(t *testing.T) {
	keys := newKeys(t, "a", "b")
	old := newKeys(t, "b").Sign("kind", "old")
	var using sync.WaitGroup
	for i := range 8 {
		text := strings.Repeat("x", i)
		using.Go(func() {
			for range 200 {
				if got, ok := keys.Verify("kind", keys.Sign("kind", text)); !ok || got != text {
					t.Errorf("signed %q: Verify: got %q, %v", text, got, ok)
				}
				if got, ok := keys.Verify("kind", old); !ok || got != "old" {
					t.Errorf("signed by the old key: Verify: got %q, %v", got, ok)
				}
			}
		})
	}
	using.Wait()
}

func FuzzOnlySignedTextsVerify(f *testing.F) {
	keys, other := newKeys(f, "a"), newKeys(f, "b")
	signed := keys.Sign("visitor", "id.time")
	for _, seed := range []string{
		"", ".", "..", signed, signed + "=", signed + "\n", signed[:len(signed)-1], "x" + signed, signed + "." + signed, strings.ToUpper(signed),
		other.Sign("visitor", "id.time"), keys.Sign("dev", "id.time"), "id.time.", "id.time" + strings.Repeat(".", 43), "." + strings.Repeat("A", 43), keys.Sign("visitor", ""),
		// The last character of 32 bytes in base64 has two bits to spare.
		signed[:len(signed)-1] + "B",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		if text, ok := keys.Verify("visitor", given); ok && keys.Sign("visitor", text) != given {
			t.Errorf("Verify(%q): got %q, whose signature is %q", given, text, keys.Sign("visitor", text))
		} else if !ok && text != "" {
			t.Errorf("Verify(%q): got invalid and %q, want an empty text", given, text)
		}
		if text, ok := keys.Verify("visitor", keys.Sign("visitor", given)); !ok || text != given {
			t.Errorf("Sign and Verify of %q: got %q, %v", given, text, ok)
		}
		if _, ok := other.Verify("visitor", keys.Sign("visitor", given)); ok {
			t.Errorf("%q: got valid by another key, want invalid", given)
		}
	})
}

func TestKeysFileReadableByOthersIsRejected(t *testing.T) {
	line := base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	for mode, want := range map[os.FileMode]string{
		0o600: "", 0o400: "",
		0o660: "warning", 0o640: "warning", 0o440: "warning", 0o620: "warning",
		0o604: "error", 0o644: "error", 0o444: "error", 0o602: "error", 0o666: "error", 0o777: "error",
	} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(t.TempDir(), "link") // as Kubernetes mounts secrets
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, link} {
			keys, err := identity.ReadKeys(path)
			said := ""
			switch {
			case err != nil && strings.Contains(err.Error(), path) && strings.Contains(err.Error(), "chmod 600"):
				said = "error"
			case err != nil:
				t.Errorf("mode %v: got %v, want an error with the path and chmod", mode, err)
			case keys.Warning() != "":
				said = "warning"
			}
			if said != want {
				t.Errorf("mode %v: got %q, want %q", mode, said, want)
			}
			if err != nil && strings.Contains(err.Error(), strings.TrimSpace(line)) {
				t.Errorf("mode %v: the secret is in the error: %v", mode, err)
			}
		}
	}
}
