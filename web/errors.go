package web

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/limit"
)

// The errors that only HTTP has.
var (
	errJSON         = errors.New("the body is not a JSON object; send one such as {\"section\": \"manuscript/abstract\"}, or {} at least")
	errJSONTwice    = errors.New("the body has the same name twice in one object; send each field once")
	errType         = errors.New("a field of the body has the wrong type; see the table of the API")
	errVersion      = errors.New("known_version is a whole number from 0 to 9007199254740991")
	errCrossOrigin  = errors.New("this request came from a page of an origin that may not send it; have the proxy in front leave Host as it is, or name the origin in --allowed-origins")
	errNotLocal     = errors.New("tokens of --dev are given to pages of this machine only, not through a tunnel or by another name; open the server as 127.0.0.1 or localhost, or start it without --dev and with --visitors on")
	errDevOrigin    = errors.New("the server runs with --dev, in which anybody can be anybody, and so it answers only pages of this machine, not through a tunnel or by another name; open it as 127.0.0.1 or localhost, or start it without --dev and with --visitors on")
	errNotFound     = errors.New("there is nothing at this address; the addresses of the API end in a slash")
	errMethod       = errors.New("this address does not know that method; Allow says which it knows")
	errBodySlow     = errors.New("the body came too slowly; send it again")
	errBodyTooLarge = errors.New("the body is larger than 4096 bytes")
	errMediaType    = errors.New("send the body as Content-Type: application/json")
	errTooMany      = errors.New("too many requests; wait for the time in Retry-After")
	// errTooManyConnections is of connections that are open, not of requests.
	errTooManyConnections = errors.New("too many connections are open, of you, of your address or of all visitors; close some, or wait for the time in Retry-After; polling with list and update goes on")
	errUpgrade            = errors.New("this address is for WebSocket; connect with the subprotocol writer-presence.v1, or use list and update")
	errDraining           = errors.New("the server is going away for a moment; come back after retry_after")
	errBroken             = errors.New("something went wrong here that should not have; the log of the server has more")
)

// The errors that only live connections have.
var (
	errNotText     = errors.New("messages are text; this one was binary")
	errUnknownType = errors.New("type is hello, update or leave")
	errHelloFirst  = errors.New("the first message is a hello, with a session")
	errHelloAgain  = errors.New("a second hello renews the token, for the same user and the same session; for another one, connect again")
	errTokenEnds   = errors.New("the token ends soon; say hello again, with a new one")
	errHelloLate   = errors.New("no hello came in time; connect again, and send it at once")
)

// failure is an error as clients know it.
type failure struct {
	err    error
	status int // 0 for one that no request can meet
	code   string
}

// failures says of every error that can reach a client which status it has, and the
// code by which programs know it. What is not here is a fault of ours: 500.
//
// The first row that an error wraps counts: what is unavailable is so for whatever reason.
var failures = []failure{
	{presence.ErrUnavailable, 503, "unavailable"},
	{errJSON, 400, "bad_json"},
	{errJSONTwice, 400, "bad_json"},
	{errType, 400, "bad_type"},
	{presence.ErrProjectInvalid, 400, "project_invalid"},
	{presence.ErrSectionInvalid, 400, "section_invalid"},
	{presence.ErrSectionTooLong, 400, "section_too_long"},
	{presence.ErrSessionInvalid, 400, "session_invalid"},
	{presence.ErrSeqInvalid, 400, "seq_invalid"},
	{presence.ErrActivityInvalid, 400, "activity_invalid"},
	{presence.ErrUserIDInvalid, 400, "user_id_invalid"},
	{identity.ErrTokenNameInvalid, 400, "name_invalid"},
	{errVersion, 400, "version_invalid"},
	{identity.ErrNobody, 401, "unauthenticated"},
	{identity.ErrTokenInvalid, 401, "token_invalid"},
	{identity.ErrCookieInvalid, 401, "cookie_invalid"},
	{errCrossOrigin, 403, "cross_origin"},
	{errDevOrigin, 403, "cross_origin"},
	{errNotLocal, 403, "not_local"},
	{errNotFound, 404, "not_found"},
	{identity.ErrProjectUnknown, 404, "project_unknown"},
	{errMethod, 405, "method_not_allowed"},
	{errBodySlow, 408, "timeout"},
	{errBodyTooLarge, 413, "body_too_large"},
	{errMediaType, 415, "not_json"},
	{errUpgrade, 426, "upgrade_required"},
	{presence.ErrTooManySessions, 429, "too_many_sessions"},
	{errTooManyProjects, 429, "too_many_projects"},
	{presence.ErrTooManyChanges, 429, "too_many_requests"},
	{errTooMany, 429, "too_many_requests"},
	{errTooManyConnections, 429, "too_many_connections"},
	{identity.ErrTooManyVisitors, 429, "too_many_visitors"},
	{errDraining, 503, "draining"},
	{errBroken, 500, "broken"},
	{errNotText, 0, "not_text"},
	{errUnknownType, 0, "unknown_type"},
	{errHelloFirst, 0, "hello_first"},
	{errHelloAgain, 0, "hello_again"},
	{errTokenEnds, 0, "token_ends"},
	{errHelloLate, 0, "hello_late"},
}

// failureOf finds an error in the table.
func failureOf(err error) failure {
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return f
		}
	}
	return failure{errBroken, http.StatusInternalServerError, "broken"}
}

// failed finds an error in the table, and counts it.
func (s *Handler) failed(err error) failure {
	f := failureOf(err)
	s.countRefusal(err, f)
	return f
}

// statusAborted is counted for a request whose client went away, as nginx does.
const statusAborted = 499

// isAborted reports whether a request failed because its client went away: then its context
// is cancelled, and with it whatever the request waited for.
func isAborted(r *http.Request, err error, f failure) bool {
	return r.Context().Err() == context.Canceled && (f.status == http.StatusServiceUnavailable || errors.Is(err, context.Canceled))
}

// fail answers with what an error says to do, and nothing of its causes. It logs what is
// the server's own fault.
func (s *Handler) fail(w http.ResponseWriter, r *http.Request, err error) (status int) {
	return s.failFor(w, r, asker{}, err)
}

// failFor is fail where it may be known who asks about which project.
func (s *Handler) failFor(w http.ResponseWriter, r *http.Request, who asker, err error) (status int) {
	f := failureOf(err)
	h := w.Header()
	if after := retryAfter(err, f); after > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(after.Seconds())))))
	}
	switch f.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2; browsers ask nobody for it
	case http.StatusUpgradeRequired:
		h.Set("Upgrade", "websocket") // RFC 9110, 15.5.22
		h.Set("Connection", "Upgrade")
		h.Set("Sec-WebSocket-Version", "13") // RFC 6455, 4.4
	}
	aborted := isAborted(r, err, f)
	switch {
	case aborted:
		s.Log.Debug("the client went away before its request was answered", "method", r.Method, "path", r.URL.Path, "error", err)
	case f.status == http.StatusInternalServerError:
		cause, _, _ := strings.Cut(err.Error(), "\n")
		s.Log.Error("a request failed", "code", f.code, "cause", cause, "method", r.Method, "path", r.URL.Path, "status", f.status, "error", err)
	case f.status >= 500 && f.err != errDraining:
		s.Log.Error("a request failed", "code", f.code, "method", r.Method, "path", r.URL.Path, "status", f.status, "error", err)
	case f.err == errCrossOrigin:
		s.warned.Do(func() {
			s.Log.Warn("a page of another origin was refused; if it is yours, the proxy in front has to leave Host as it is, or --allowed-origins to name it; this is said once", "origin", first(r.Header, "Origin"), "host", r.Host)
		})
	case f.err == errNotLocal || f.err == errDevOrigin:
		s.warned.Do(func() {
			s.Log.Warn("rejected a page that is not of this machine: --dev answers only 127.0.0.1 and localhost, not a tunnel, a forwarded port or another name for this machine. To show pages to others, start without --dev and with --visitors on; this is said once", "origin", first(r.Header, "Origin"), "host", r.Host)
		})
	}
	if !aborted {
		s.countRefusal(err, f)
		s.logRefusedRequest(w, r, who, err, f)
	}
	h["Cache-Control"] = noStore
	status = answer(w, f.status, f.body())
	if aborted {
		return statusAborted
	}
	return status
}

// body is the body of an answer.
func (f failure) body() []byte {
	text, _ := json.Marshal(f.err.Error()) // a string always encodes
	return append(append([]byte(`{"success":false,"code":"`+f.code+`","error":`), text...), '}')
}

// retryAfter is when to try again what failed; 0 where that would not help.
func retryAfter(err error, f failure) time.Duration {
	var tooMany *limit.TooMany
	switch {
	case errors.As(err, &tooMany):
		return tooMany.After
	case f.status == http.StatusTooManyRequests:
		return presence.DefaultHeartbeat
	case f.status == http.StatusServiceUnavailable:
		return time.Second
	}
	return 0
}
