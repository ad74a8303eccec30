package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// minSecret and maxSecret are the sizes of a secret in bytes that the specification allows.
const minSecret, maxSecret = 24, 64

// Secrets sign webhooks. Create them with [ReadSecrets].
type Secrets struct{ signers []*standardwebhooks.Webhook }

// ReadSecrets reads a file with one secret, or two while it is changed, each in a line: the base64 of 24 to 64 random
// bytes, which may begin with whsec_. Both sign, so the receiver may know either.
func ReadSecrets(path string) (Secrets, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Secrets{}, fmt.Errorf("cannot read the secret: %w", err)
	}
	var s Secrets
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "whsec_"))
		switch {
		case err != nil:
			return Secrets{}, fmt.Errorf("%s has a line that is not base64; %s", path, makeSecret)
		case len(secret) < minSecret || len(secret) > maxSecret:
			return Secrets{}, fmt.Errorf("a secret in %s has %d bytes; it needs %d to %d: %s", path, len(secret), minSecret, maxSecret, makeSecret)
		}
		signer, err := standardwebhooks.NewWebhookRaw(secret)
		if err != nil {
			return Secrets{}, err
		}
		s.signers = append(s.signers, signer)
	}
	switch n := len(s.signers); {
	case n == 0:
		return Secrets{}, fmt.Errorf("%s is empty; %s", path, makeSecret)
	case n > 2:
		return Secrets{}, fmt.Errorf("%s has %d secrets; give one, or two while it is changed", path, n)
	}
	return s, nil
}

const makeSecret = `make one with: echo "whsec_$(openssl rand -base64 32)"`

var errNoSecrets = errors.New("a webhook needs a secret; read one with ReadSecrets")
