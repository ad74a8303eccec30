package web

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	presence "writer-presence"
	"writer-presence/identity"
	"writer-presence/limit"
)

// The errors that only HTTP has.
var (
	errJSON         = errors.New("the body is not a JSON object; send one such as {\"section\": \"manuscript/abstract\"}, or {} at least")
	errType         = errors.New("a field of the body has the wrong type; see the table of the API")
	errVersion      = errors.New("known_version is a whole number from 0 to 9007199254740991")
	errCrossOrigin  = errors.New("this request came from a page of another origin; only pages of this one may send it (a proxy in front has to leave Host as it is)")
	errNotLocal     = errors.New("tokens of --dev are given to pages of this machine only; open the server as 127.0.0.1 or localhost")
	errNotFound     = errors.New("there is nothing at this address; the addresses of the API end in a slash")
	errMethod       = errors.New("this address does not know that method; Allow says which it knows")
	errBodySlow     = errors.New("the body came too slowly; send it again")
	errBodyTooLarge = errors.New("the body is larger than 4096 bytes")
	errMediaType    = errors.New("send the body as Content-Type: application/json")
	errTooMany      = errors.New("too many requests; wait for the time in Retry-After")
	errBroken       = errors.New("something went wrong here that should not have; the log of the server has more")
)

// failures says of every error that can reach a client which status it has, and the
// code by which programs know it. What is not here is a fault of ours: 500.
var failures = []struct {
	err    error
	status int
	code   string
}{
	{errJSON, 400, "bad_json"},
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
	{errNotLocal, 403, "not_local"},
	{errNotFound, 404, "not_found"},
	{identity.ErrProjectUnknown, 404, "project_unknown"},
	{errMethod, 405, "method_not_allowed"},
	{errBodySlow, 408, "timeout"},
	{errBodyTooLarge, 413, "body_too_large"},
	{errMediaType, 415, "not_json"},
	{presence.ErrTooManySessions, 429, "too_many_sessions"},
	{presence.ErrTooManyChanges, 429, "too_many_requests"},
	{errTooMany, 429, "too_many_requests"},
	{identity.ErrTooManyVisitors, 429, "too_many_visitors"},
	{presence.ErrUnavailable, 503, "unavailable"},
	{errBroken, 500, "broken"},
}

// fail answers with an error, and logs it if it is the server's own.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	for _, f := range failures {
		if errors.Is(err, f.err) {
			s.answerError(w, r, f.status, f.code, f.err, err)
			return
		}
	}
	s.answerError(w, r, 500, "broken", errBroken, err)
}

// answerError tells the client what the error says to do, and nothing of its causes.
func (s *server) answerError(w http.ResponseWriter, r *http.Request, status int, code string, told, cause error) {
	h := w.Header()
	var tooMany *limit.TooMany
	switch {
	case errors.As(cause, &tooMany):
		h.Set("Retry-After", retryAfter(tooMany.After))
	case status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2; browsers ask nobody for it
	case status == http.StatusTooManyRequests:
		h.Set("Retry-After", retryAfter(presence.DefaultHeartbeat))
	case status == http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter(time.Second))
	}
	if status >= 500 {
		s.Log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "status", status, "error", cause)
	}
	text, _ := json.Marshal(told.Error()) // a string always encodes
	body := append([]byte(`{"success":false,"code":"`+code+`","error":`), text...)
	h["Cache-Control"] = noStore
	answer(w, status, append(body, '}'))
}

func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}
