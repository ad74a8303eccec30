package hostapi

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// minKey is the length of the shortest key, in bytes.
const minKey = 32

// Keys are the keys that the host may send: one, or two while it changes them. Those without a key accept nothing.
type Keys struct{ digests [][sha256.Size]byte }

// ReadKeys reads a file of one or two lines, each of at least 32 bytes of printable ASCII without spaces.
func ReadKeys(path string) (Keys, error) {
	lines, err := readLines(path)
	if err != nil {
		return Keys{}, err
	}
	var keys Keys
	for _, line := range lines {
		keys.digests = append(keys.digests, sha256.Sum256(line))
	}
	return keys, nil
}

// ReadKey returns the first key of such a file, for programs that send it.
func ReadKey(path string) (string, error) {
	lines, err := readLines(path)
	if err != nil {
		return "", err
	}
	return string(lines[0]), nil
}

// readLines returns the one or two keys of a file.
func readLines(path string) (keys [][]byte, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the API key: %w", err)
	}
	for line := range bytes.Lines(text) {
		key := bytes.TrimRight(line, "\r\n")
		switch {
		case len(key) == 0:
			return nil, fmt.Errorf("the file %s with the API key has an empty line; remove it", path)
		case len(key) < minKey:
			return nil, fmt.Errorf("the file %s with the API key has a line of %d bytes; it needs at least %d: make one with: openssl rand -base64 32", path, len(key), minKey)
		case bytes.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
			return nil, fmt.Errorf("the file %s with the API key has a line with spaces or with characters outside of ASCII, which no header can have: make one with: openssl rand -base64 32", path)
		}
		keys = append(keys, key)
	}
	if n := len(keys); n == 0 || n > 2 {
		return nil, fmt.Errorf("the file %s with the API key has %d lines; it needs one, or two while the key is changed", path, n)
	}
	return keys, nil
}

// accept reports whether a request has one of the keys. It takes the same time for every wrong key.
func (k Keys) accept(r *http.Request) bool {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	sent, found := sha256.Sum256([]byte(strings.TrimSpace(key))), 0
	for _, digest := range k.digests {
		found |= subtle.ConstantTimeCompare(sent[:], digest[:])
	}
	return found == 1
}
