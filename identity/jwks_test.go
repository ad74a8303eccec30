package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestKeysAreRefetchedForUnknownIDAndKeptDuringOutage(t *testing.T) {
	set := newKeySet(t)
	synctest.Test(t, func(t *testing.T) {
		h := &answering{serve: set.serve}
		auth := identity.RemoteKeysThrough(h)
		set.set(func() { set.hidden["e"] = true })
		authenticate := func(kid string) error {
			t.Helper()
			_, err := auth.Authenticate(t.Context(), with(set.sign(t, kid, good("jti", time.Now().String()))))
			return err
		}
		if err := authenticate("r"); err != nil {
			t.Fatal(err)
		}
		set.set(func() { set.hidden["e"], set.hidden["r"] = false, true }) // a key rotation
		if err := authenticate("e"); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("new key just after a fetch: got %v, want ErrTokenInvalid", err)
		}
		h.wantRequests(t, 1)
		time.Sleep(10 * time.Second)
		if err := authenticate("e"); err != nil {
			t.Errorf("new key 10 s after the fetch: got %v, want nil", err)
		}
		h.wantRequests(t, 2)
		if err := authenticate("r"); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("withdrawn key: got %v, want ErrTokenInvalid", err)
		}
		h.wantRequests(t, 2)
		set.set(func() { set.status = 500 })
		time.Sleep(6 * time.Minute)
		if err := authenticate("e"); err != nil {
			t.Errorf("known key during an outage: got %v, want nil", err)
		}
		if err := authenticate("r"); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("unknown key during an outage: got %v, want ErrUnavailable", err)
		}
		h.wantRequests(t, 3)
		time.Sleep(time.Hour)
		if err := authenticate("e"); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("known key after an hour of outage: got %v, want ErrUnavailable", err)
		}
	})
}

func TestExpiredTokenIsInvalidDuringKeyOutage(t *testing.T) {
	set := newKeySet(t)
	synctest.Test(t, func(t *testing.T) {
		auth := identity.RemoteKeysThrough(&answering{serve: set.serve})
		r := with(set.sign(t, "r", good()))
		if _, err := auth.Authenticate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		set.set(func() { set.status = 500 })
		time.Sleep(3 * time.Hour)
		if _, err := auth.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCachedTokenIsInvalidAfterItsKeyIsWithdrawn(t *testing.T) {
	set := newKeySet(t)
	synctest.Test(t, func(t *testing.T) {
		auth := identity.RemoteKeysThrough(&answering{serve: set.serve})
		r := with(set.sign(t, "r", good()))
		if _, err := auth.Authenticate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		set.set(func() { set.hidden["r"] = true })
		time.Sleep(6 * time.Minute)
		if _, err := auth.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("token of a withdrawn key: got %v, want ErrTokenInvalid", err)
		}
	})
}

func (k *keySet) sign(t *testing.T, id string, c jwt.Claims, header ...any) string {
	t.Helper()
	return sign(t, k.methods[id], k.keys[id], c, append([]any{"kid", id}, header...)...)
}

// keySet is a server of a JWKS that the test changes.
type keySet struct {
	*httptest.Server
	keys    map[string]crypto.Signer
	methods map[string]jwt.SigningMethod
	fetches atomic.Int32

	mu     sync.Mutex
	hidden map[string]bool
	status int
	body   string // if set, instead of the keys
}

func newKeySet(t *testing.T) *keySet {
	t.Helper()
	k := &keySet{keys: map[string]crypto.Signer{}, hidden: map[string]bool{}, methods: map[string]jwt.SigningMethod{
		"r": jwt.SigningMethodRS256, "enc": jwt.SigningMethodRS256, "e": jwt.SigningMethodES256, "d": jwt.SigningMethodEdDSA,
	}}
	for _, id := range []string{"r", "enc"} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		k.keys[id] = key
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k.keys["e"], k.keys["d"] = e, d
	k.Server = httptest.NewServer(http.HandlerFunc(k.serve))
	t.Cleanup(k.Close)
	return k
}

func (k *keySet) serve(w http.ResponseWriter, _ *http.Request) {
	k.fetches.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.status != 0 {
		w.WriteHeader(k.status)
	}
	if k.body != "" {
		w.Write([]byte(k.body))
		return
	}
	text := base64.RawURLEncoding.EncodeToString
	all := []map[string]any{{"kty": "oct", "kid": "oct", "k": text([]byte(published))}, {"kty": "other", "kid": "other"}}
	for id, key := range k.keys {
		if k.hidden[id] {
			continue
		}
		m := map[string]any{"kid": id, "use": "sig"}
		switch public := key.Public().(type) {
		case *rsa.PublicKey:
			m["kty"], m["n"], m["e"] = "RSA", text(public.N.Bytes()), text(big.NewInt(int64(public.E)).Bytes())
		case *ecdsa.PublicKey:
			point, _ := public.Bytes()
			m["kty"], m["crv"], m["x"], m["y"] = "EC", "P-256", text(point[1:33]), text(point[33:])
		case ed25519.PublicKey:
			m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", text(public)
		}
		if id == "enc" {
			m["use"] = "enc"
		}
		all = append(all, m)
	}
	json.NewEncoder(w).Encode(map[string]any{"keys": all})
}

func (k *keySet) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

func TestKeysAreFetchedOnceForConcurrentRequests(t *testing.T) {
	set := newKeySet(t)
	j, err := identity.RemoteKeys(set.URL)
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for i := range 50 {
		r := with(set.sign(t, "r", good("sub", fmt.Sprint(i+1))))
		asking.Go(func() {
			if _, err := j.Authenticate(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	for i := range 50 { // unknown key ids cause no fetch so soon
		j.Authenticate(t.Context(), with(sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", fmt.Sprint("made up ", i))))
	}
	if n := set.fetches.Load(); n != 1 {
		t.Errorf("got %d fetches, want 1", n)
	}
}

func TestUnreachableKeysAreUnavailable(t *testing.T) {
	for name, change := range map[string]func(*keySet){
		"down":         func(k *keySet) { k.Close() },
		"failing":      func(k *keySet) { k.status = 500 },
		"no JSON":      func(k *keySet) { k.body = "<html>" },
		"elsewhere":    func(k *keySet) { k.status = 302 },
		"without end":  func(k *keySet) { k.body = `{"keys":[` + strings.Repeat(" ", 2<<20) + `]}` },
		"not the keys": func(k *keySet) { k.body = `{"keys": 1}` },
	} {
		set := newKeySet(t)
		j, err := identity.RemoteKeys(set.URL)
		if err != nil {
			t.Fatal(err)
		}
		r := with(set.sign(t, "r", good()))
		set.set(func() { change(set) })
		if got, err := j.Authenticate(t.Context(), r); !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("%s: got %+v, %v, want ErrUnavailable", name, got, err)
		}
	}
}
