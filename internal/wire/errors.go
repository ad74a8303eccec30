package wire

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// MaxBody is the largest request body and the largest live message, in bytes.
const MaxBody = 4096

// Errors of requests and of live connections, besides those of the packages presence and identity.
// Their texts are sent to clients.
var (
	ErrJSON               = errors.New("the body is not a JSON object; send one such as {\"section\": \"manuscript/abstract\"}, or at least {}")
	ErrDuplicateField     = errors.New("the body has the same field twice in one object; send each field once")
	ErrFieldType          = errors.New("a field of the body has the wrong type, or a number is out of range; openapi.yaml has the types of all fields")
	ErrProjects           = errors.New("name 1 to 100 different projects, each by a parameter project")
	ErrKnownVersion       = errors.New("known_version and as_of are whole numbers from 0 to 9007199254740991")
	ErrCrossOrigin        = errors.New("this server does not allow requests from pages of this origin; make the proxy in front leave Host unchanged, or list the origin in --allowed-origins")
	ErrNotLocal           = errors.New("the server runs with --dev and issues tokens only to pages of this machine, not through a tunnel or by another host name; open the server as 127.0.0.1 or localhost, or start it without --dev and with --visitors on")
	ErrDevOrigin          = errors.New("the server runs with --dev, with which anybody can take any name, and so answers only pages of this machine, not through a tunnel or by another host name; open it as 127.0.0.1 or localhost, or start it without --dev and with --visitors on")
	ErrNotFound           = errors.New("there is nothing at this address; the addresses of the API end in a slash")
	ErrMethod             = errors.New("this address does not support that method; the header Allow lists those that it supports")
	ErrBodySlow           = errors.New("the body arrived too slowly; send it again")
	ErrBodyTooLarge       = errors.New("the body is larger than 4096 bytes")
	ErrMediaType          = errors.New("send the body as Content-Type: application/json")
	ErrTooManyRequests    = errors.New("too many requests; wait for the time in Retry-After")
	ErrTooManyProjects    = errors.New("you or your address entered too many different projects; continue in one of those, or wait for the time in Retry-After")
	ErrTooManyListeners   = errors.New("too many listeners for events at this node; close some, or use webhooks")
	ErrTooManyConnections = errors.New("you, your address or all visitors together have too many open connections; close some, or wait for the time in Retry-After; polling with list and update still works")
	ErrUpgradeRequired    = errors.New("this address is for WebSocket; connect with the subprotocol writer-presence.v1, or use list and update")
	ErrAPIKey             = errors.New("send a key of --api-key-file as Authorization: Bearer; this one is missing, wrong or no longer in the file")
	ErrAPIOff             = errors.New("the host API is off; start the server with --api-key-file")
	ErrAPINotFound        = errors.New("the host API has nothing at this address; its addresses have no slash at the end, and ids in them are percent-encoded")
	ErrTenant             = errors.New("on a server with --tenant-from name a project with its host, as in a.example%2Fthesis, and the host of a user as ?tenant=a.example; on any other server leave the host out")
	ErrSeconds            = errors.New("for is a whole number of seconds from 0 to 86400, and ttl one from 1 to the lease of the server")
	ErrDraining           = errors.New("the server is restarting; come back after retry_after")
	ErrInternal           = errors.New("the server failed; its log has the cause")

	ErrNotText     = errors.New("messages are text; this one was binary")
	ErrUnknownType = errors.New("type is hello, update or leave")
	ErrHelloFirst  = errors.New("the first message is a hello, with a session")
	ErrHelloAgain  = errors.New("a second hello renews the token of the same user and session; for another user or session, open a new connection")
	ErrTokenEnds   = errors.New("the token expires soon; send another hello with a new one")
	ErrHelloLate   = errors.New("no hello arrived in time; reconnect, and send it at once")
)

// Failure is an error as clients see it.
type Failure struct {
	// Err has the text that is sent to clients. It is one of a fixed set, so it never contains input of a
	// client or a cause inside the server.
	Err error
	// Status is the HTTP status; 0 for an error that only live connections have.
	Status int
	// Code is the value of the field code, by which programs distinguish errors.
	Code string
}

// failures gives every error that can reach a client its status and its code. The first row that an error
// wraps counts, so ErrUnavailable wins over every other error in the same chain. An error without a row is
// ErrInternal.
var failures = []Failure{
	{presence.ErrUnavailable, 503, "unavailable"},
	{ErrJSON, 400, "bad_json"},
	{ErrDuplicateField, 400, "bad_json"},
	{ErrFieldType, 400, "bad_type"},
	{presence.ErrProjectInvalid, 400, "project_invalid"},
	{ErrProjects, 400, "projects_invalid"},
	{presence.ErrSectionInvalid, 400, "section_invalid"},
	{presence.ErrSectionTooLong, 400, "section_too_long"},
	{presence.ErrSessionInvalid, 400, "session_invalid"},
	{presence.ErrSeqInvalid, 400, "seq_invalid"},
	{presence.ErrActivityInvalid, 400, "activity_invalid"},
	{presence.ErrRevisionInvalid, 400, "revision_invalid"},
	{presence.ErrUserIDInvalid, 400, "user_id_invalid"},
	{presence.ErrAvatarInvalid, 400, "avatar_invalid"},
	{presence.ErrCursorInvalid, 400, "cursor_invalid"},
	{ErrTenant, 400, "tenant_invalid"},
	{ErrSeconds, 400, "seconds_invalid"},
	{identity.ErrTokenNameInvalid, 400, "name_invalid"},
	{ErrKnownVersion, 400, "version_invalid"},
	{identity.ErrNobody, 401, "unauthenticated"},
	{identity.ErrTokenInvalid, 401, "token_invalid"},
	{identity.ErrCookieInvalid, 401, "cookie_invalid"},
	{ErrAPIKey, 401, "api_key_invalid"},
	{ErrCrossOrigin, 403, "cross_origin"},
	{ErrDevOrigin, 403, "cross_origin"},
	{ErrNotLocal, 403, "not_local"},
	{presence.ErrRemoved, 403, "removed"},
	{ErrNotFound, 404, "not_found"},
	{ErrAPINotFound, 404, "not_found"},
	{ErrAPIOff, 404, "api_off"},
	{identity.ErrProjectUnknown, 404, "project_unknown"},
	{ErrMethod, 405, "method_not_allowed"},
	{ErrBodySlow, 408, "timeout"},
	{ErrBodyTooLarge, 413, "body_too_large"},
	{ErrMediaType, 415, "not_json"},
	{ErrUpgradeRequired, 426, "upgrade_required"},
	{presence.ErrTooManySessions, 429, "too_many_sessions"},
	{ErrTooManyProjects, 429, "too_many_projects"},
	{presence.ErrTooManyChanges, 429, "too_many_requests"},
	{ErrTooManyRequests, 429, "too_many_requests"},
	{ErrTooManyConnections, 429, "too_many_connections"},
	{ErrTooManyListeners, 429, "too_many_connections"},
	{identity.ErrTooManyVisitors, 429, "too_many_visitors"},
	{presence.ErrTooManyRemovals, 429, "too_many_removals"},
	{ErrDraining, 503, "draining"},
	{ErrInternal, 500, "broken"},
	{ErrNotText, 0, "not_text"},
	{ErrUnknownType, 0, "unknown_type"},
	{ErrHelloFirst, 0, "hello_first"},
	{ErrHelloAgain, 0, "hello_again"},
	{ErrTokenEnds, 0, "token_ends"},
	{ErrHelloLate, 0, "hello_late"},
}

// Failures returns the table of all errors that can reach a client.
func Failures() []Failure { return failures }

// FailureOf finds an error in the table. An error that is not there is ErrInternal.
func FailureOf(err error) Failure {
	for _, f := range failures {
		if errors.Is(err, f.Err) {
			return f
		}
	}
	return Failure{ErrInternal, http.StatusInternalServerError, "broken"}
}

// Body returns the body of an HTTP answer.
func (f Failure) Body() []byte {
	b := append([]byte(nil), `{"success":false,"code":"`...)
	b = append(b, f.Code...)
	b = append(b, `","error":`...)
	b = appendText(b, f.Err.Error())
	return append(b, '}')
}

// RetryAfter returns how long a client should wait before it tries again: the result of err's method
// RetryAfter() time.Duration if it has one, otherwise the default of its status. It is 0 where a retry does
// not help.
func RetryAfter(err error) time.Duration {
	var later interface {
		error
		RetryAfter() time.Duration
	}
	if errors.As(err, &later) {
		return later.RetryAfter()
	}
	switch FailureOf(err).Status {
	case http.StatusTooManyRequests:
		return presence.DefaultHeartbeat
	case http.StatusServiceUnavailable:
		return time.Second
	}
	return 0
}

// AppendError appends a live message that reports err. seq is that of the message that it answers, 0
// for none.
func AppendError(b []byte, err error, seq uint64) []byte {
	f := FailureOf(err)
	b = append(b, `{"type":"error","code":"`...)
	b = append(b, f.Code...)
	b = append(b, `","error":`...)
	b = appendText(b, f.Err.Error())
	if seq > 0 {
		b = append(b, `,"seq":`...)
		b = strconv.AppendUint(b, seq, 10)
	}
	if after := RetryAfter(err); after > 0 {
		b = append(b, `,"retry_after":`...)
		b = strconv.AppendFloat(b, after.Round(time.Millisecond).Seconds(), 'f', -1, 64)
	}
	return append(b, '}')
}
