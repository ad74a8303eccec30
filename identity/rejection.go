package identity

import (
	"errors"
	"maps"
	"slices"
)

// Reason is why a token was rejected. Reasons are a fixed set, because they are labels of a metric.
type Reason string

// The reasons. [Reason.Explain] describes each one and what to do.
const (
	Malformed     Reason = "malformed"
	BadAlgorithm  Reason = "bad_algorithm"
	BadHeader     Reason = "bad_header"
	NoKeyID       Reason = "no_key_id"
	UnknownKey    Reason = "unknown_key"
	BadSignature  Reason = "bad_signature"
	BadTime       Reason = "bad_time"
	NoExpiry      Reason = "no_expiry"
	Expired       Reason = "expired"
	NotYetValid   Reason = "not_yet_valid"
	WrongIssuer   Reason = "wrong_issuer"
	WrongAudience Reason = "wrong_audience"
	NoSubject     Reason = "no_subject"
	BadSubject    Reason = "bad_subject"
	BadName       Reason = "bad_name"
	BadProjects   Reason = "bad_projects"
	NoProjects    Reason = "no_projects"
	OtherReason   Reason = "other"
)

var explanations = map[Reason]string{
	Malformed:     "it is not three parts of base64url with JSON objects in the first two, each name once; send the token as the issuer made it",
	BadAlgorithm:  "its alg is not accepted here: HS256 with --jwt-secret-file; RS256, ES256 or EdDSA with --jwks-url",
	BadHeader:     "its header has crit, jwk, jku, x5c or x5u, which are not accepted; sign without them",
	NoKeyID:       "its header has no kid, which tokens need with --jwks-url",
	UnknownKey:    "there is no key for signatures at --jwks-url with its kid and alg; publish it, or sign with one that is there",
	BadSignature:  "no known key made its signature; compare the issuer's key or secret with this server's",
	BadTime:       "exp, nbf or iat is not a number of seconds between the years 1970 and 9999; send a JSON number, not a string and not milliseconds",
	NoExpiry:      "it has no exp; add the time of its end, in seconds since 1970",
	Expired:       "exp has passed by more than a minute; fetch a new token, and compare the clocks",
	NotYetValid:   "nbf is more than a minute ahead; compare the clocks",
	WrongIssuer:   "iss is not what --jwt-issuer says",
	WrongAudience: "aud does not name what --jwt-audience says, or names somebody where that flag is not set",
	NoSubject:     "it has no sub; add the user's id as a string",
	BadSubject:    `sub is not a string that can be a user's id; send "1042" and not 1042, of 1 to 512 bytes, without control characters and not beginning with visitor-`,
	BadName:       "the claim with the name is not a string",
	BadProjects:   `the claim with the projects is neither a list of strings nor "*"; send ["1042"] and not [1042]`,
	NoProjects:    `it has no claim with the projects, so its user may see none; add projects, a list of strings or "*", or name the claim with --jwt-projects-claim`,
	OtherReason:   "an authenticator of the embedding program rejected it",
}

// Reasons returns every reason.
func Reasons() []Reason { return slices.Collect(maps.Keys(explanations)) }

// Explain describes the reason and what to do. The text contains nothing of any token.
func (r Reason) Explain() string { return explanations[r] }

// rejection is an error with a reason. It wraps answer, the error that the client sees.
type rejection struct {
	answer error
	reason Reason
}

func (r *rejection) Error() string { return string(r.reason) + ": " + r.reason.Explain() }

func (r *rejection) Unwrap() error { return r.answer }

func reject(reason Reason) error { return &rejection{ErrTokenInvalid, reason} }

// Reject returns an error that wraps [ErrTokenInvalid] and has a reason, one of [Reasons], for
// authenticators in other packages.
func Reject(reason Reason) error { return reject(reason) }

// ReasonOf returns the reason of an error that rejected a token, and false for any other error.
func ReasonOf(err error) (Reason, bool) {
	var r *rejection
	switch {
	case errors.As(err, &r):
		return r.reason, true
	case errors.Is(err, ErrTokenInvalid):
		return OtherReason, true
	}
	return "", false
}
