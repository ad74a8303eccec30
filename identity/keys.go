package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	presence "github.com/writer-presence/writer-presence"
)

// keySize is the minimum size of a key in bytes, that of the hash (RFC 2104, 3).
const keySize = 32

// Keys signs and verifies texts such as visitor cookies. The first key signs and all keys verify, so
// that keys can be rotated without invalidating cookies. Create Keys with [NewKeys] or [ReadKeys]: nil and the
// zero Keys verify nothing. It is safe for concurrent use.
type Keys struct {
	macs    []*sync.Pool // of hash.Hash
	warning string
}

// Warning describes a fault of the key file that does not prevent its use; empty for none.
func (k *Keys) Warning() string {
	if k == nil {
		return ""
	}
	return k.warning
}

// errNoKeys is the error of an authenticator that needs keys and has none.
var errNoKeys = fmt.Errorf("%w: the authenticator has no keys; set its field Keys", presence.ErrUnavailable)

// isEmpty reports whether there is no key to sign with.
func (k *Keys) isEmpty() bool { return k == nil || len(k.macs) == 0 }

// NewKeys returns the keys for secrets of at least 32 random bytes each.
func NewKeys(secrets ...[]byte) (*Keys, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no key")
	}
	k := &Keys{}
	for _, secret := range secrets {
		if len(secret) < keySize {
			return nil, fmt.Errorf("a key has %d bytes; it needs at least %d", len(secret), keySize)
		}
		k.macs = append(k.macs, &sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }})
	}
	return k, nil
}

// ReadKeys reads a key file of one or two lines of base64. If the file does not exist, ReadKeys
// creates it with one random key and mode 0600. To rotate keys, put a new line before the old one,
// restart, and remove the old one when it is no longer needed.
//
// A file that every user of the machine can read or change is an error. A file that its group can
// read or change gives a [Keys.Warning] only: a Kubernetes volume with fsGroup gives its files to a
// group, and their modes cannot be made stricter.
func ReadKeys(path string) (*Keys, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = makeKeys(path); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use the secret file: %w", err)
	}
	warning, err := checkAccess(path)
	if err != nil {
		return nil, err
	}
	var secrets [][]byte
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("the secret file %s has a line that is not base64; make one with: openssl rand -base64 32", path)
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) > 2 {
		return nil, fmt.Errorf("the secret file %s has %d keys; one signs, and one more may be good for what was signed before", path, len(secrets))
	}
	keys, err := NewKeys(secrets...)
	if err != nil {
		return nil, fmt.Errorf("the secret file %s: %w; make one with: openssl rand -base64 32", path, err)
	}
	keys.warning = warning
	return keys, nil
}

// checkAccess checks the mode of a key file.
func checkAccess(path string) (warning string, err error) {
	if runtime.GOOS == "windows" { // whose access lists are not in the mode
		return "", nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("cannot use the secret file: %w", err)
	}
	switch mode := info.Mode(); {
	case runtime.GOOS == "windows": // access lists decide there, and Go makes up a mode
	case mode&0o007 != 0:
		return "", fmt.Errorf("the secret file %s is open to every user of this machine (%04o), and who reads it can sign as this server: run chmod 600 on it (in Kubernetes: defaultMode: 0440), and put a new key before the one in it if others may have read it", path, mode.Perm())
	case mode&0o070 != 0:
		return fmt.Sprintf("the secret file %s is open to its group (%04o): run chmod 600 on it unless the group is this process's own, as with fsGroup in Kubernetes", path, mode.Perm()), nil
	}
	return "", nil
}

// makeKeys writes the file under a temporary name and then links it, so that processes that start at
// the same time all use the same key.
func makeKeys(path string) ([]byte, error) {
	secret := make([]byte, keySize)
	rand.Read(secret)
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(secret) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// Sign returns text with a '.' and a signature appended. A signature of one kind is invalid for any
// other. The caller must split a text that contains '.' in only one way. Without a key, Sign returns "".
func (k *Keys) Sign(kind, text string) string {
	if k.isEmpty() {
		return ""
	}
	var sum [sha256.Size]byte
	return text + "." + base64.RawURLEncoding.EncodeToString(mac(k.macs[0], sum[:0], kind, text))
}

// Verify returns the text that any of the keys signed as this kind.
func (k *Keys) Verify(kind, signed string) (text string, ok bool) {
	dot := strings.LastIndexByte(signed, '.')
	if dot < 0 || k.isEmpty() {
		return "", false
	}
	text = signed[:dot]
	var given, sum [sha256.Size]byte
	if base64.RawURLEncoding.DecodedLen(len(signed)-dot-1) != len(given) {
		return "", false
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(given[:], []byte(signed[dot+1:])); err != nil {
		return "", false
	}
	for _, pool := range k.macs {
		if hmac.Equal(given[:], mac(pool, sum[:0], kind, text)) {
			return text, true
		}
	}
	return "", false
}

func mac(pool *sync.Pool, sum []byte, kind, text string) []byte {
	h := pool.Get().(hash.Hash)
	defer pool.Put(h)
	h.Reset()
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(text))
	return h.Sum(sum)
}
