package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"

	presence "github.com/writer-presence/writer-presence"
)

const (
	// fetchTime is the time limit for one fetch of keys.
	fetchTime = 3 * time.Second
	// fetchPause is the least time between two fetches, whatever tokens arrive.
	fetchPause = 10 * time.Second
	// keysAge is the age at which keys are fetched again. keysEnd is the age up to which they are
	// used while that fails.
	keysAge = 5 * time.Minute
	keysEnd = time.Hour
	// maxKeys is the size limit of a key set in bytes.
	maxKeys = 1 << 20
)

// RemoteKeys returns an authenticator of tokens that are signed with RS256, ES256 or EdDSA and a
// key of the set (RFC 7517) at an address. The set is fetched when a token needs it and it is
// missing, older than five minutes, or lacks the key id; at most every ten seconds, and one fetch
// at a time.
func RemoteKeys(address string) (*JWT, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, errors.New("this is no address of a set of keys; give one such as https://login.example.org/.well-known/jwks.json") // without the value, which may hold a password
	}
	return (&remoteKeys{address: address, client: newClient(maxKeys)}).authenticator(), nil
}

type remoteKeys struct {
	address string
	client  *http.Client
	flight  singleflight.Group

	mu      sync.Mutex
	keys    keyfunc.Keyfunc // nil if none were fetched, or they are too old
	fetched time.Time
	tried   time.Time
	failure error // of the last fetch
}

func (k *remoteKeys) authenticator() *JWT {
	return &JWT{methods: []string{"RS256", "ES256", "EdDSA"}, key: k.key}
}

// key returns the key that verifies a token.
func (k *remoteKeys) key(ctx context.Context, t *jwt.Token) (any, error) {
	if id, ok := t.Header[jwkset.HeaderKID].(string); !ok || id == "" {
		return nil, reject(NoKeyID)
	}
	keys, fetched, _ := k.state()
	if keys != nil && time.Since(fetched) < keysAge {
		if key, err := keys.KeyfuncCtx(ctx)(t); !errors.Is(err, jwkset.ErrKeyNotFound) {
			return key, unknownKey(err)
		}
	}
	keys, err := k.fetch(ctx)
	if keys == nil {
		return nil, fmt.Errorf("%w: the keys for tokens cannot be fetched: %w", presence.ErrUnavailable, err)
	}
	key, missing := keys.KeyfuncCtx(ctx)(t)
	if errors.Is(missing, jwkset.ErrKeyNotFound) && err != nil {
		return nil, fmt.Errorf("%w: the key of a token is unknown, and the keys cannot be fetched: %w", presence.ErrUnavailable, err)
	}
	return key, unknownKey(missing)
}

// unknownKey turns the library's errors, which quote the token, into one with a reason.
func unknownKey(err error) error {
	if err == nil {
		return nil
	}
	return reject(UnknownKey)
}

func (k *remoteKeys) state() (keyfunc.Keyfunc, time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys, k.fetched, k.failure
}

// fetch fetches the keys, unless the last fetch is more recent than fetchPause. It returns the newest
// keys and the error of the last fetch.
func (k *remoteKeys) fetch(ctx context.Context) (keyfunc.Keyfunc, error) {
	done := k.flight.DoChan("", func() (any, error) {
		k.mu.Lock()
		soon := !k.tried.IsZero() && time.Since(k.tried) < fetchPause
		k.mu.Unlock()
		if soon {
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
		defer cancel()
		// Without a refresh interval the storage fetches once and starts no goroutine.
		storage, err := jwkset.NewStorageFromHTTP(k.address, jwkset.HTTPClientStorageOptions{Client: k.client, Ctx: ctx, HTTPTimeout: fetchTime})
		var keys keyfunc.Keyfunc
		if err == nil {
			keys, err = keyfunc.New(keyfunc.Options{Ctx: context.Background(), Storage: storage, UseWhitelist: []jwkset.USE{"", jwkset.UseSig}})
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tried, k.failure = time.Now(), err
		if err == nil {
			k.keys, k.fetched = keys, k.tried
		} else if time.Since(k.fetched) > keysEnd {
			k.keys = nil
		}
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	keys, _, err := k.state()
	return keys, err
}

// newClient returns a client that follows no redirects and reads at most the given number of bytes
// of a body.
func newClient(most int64) *http.Client {
	t := &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10}
	return &http.Client{
		Transport:     bounded{t, most},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type bounded struct {
	*http.Transport
	most int64
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.Transport.RoundTrip(r)
	if err == nil {
		answer.Body = boundedBody{io.LimitReader(answer.Body, b.most), answer.Body}
	}
	return answer, err
}

// maxDrained is the number of bytes of a body that are read only to reuse its connection. The error
// and login pages of frameworks are shorter.
const maxDrained = 256 << 10

// boundedBody is a body of which only the first bytes can be read.
type boundedBody struct {
	io.Reader
	body io.ReadCloser
}

// Close reads up to maxDrained bytes of the rest: net/http reuses a connection only after the end of
// its body. The deadline of the request bounds the time.
func (b boundedBody) Close() error {
	io.CopyN(io.Discard, b.body, maxDrained) // an error means that the connection is closed
	return b.body.Close()
}
