package admin

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"
)

// ProfilesPrefix is the path below which the profiles of the process are.
const ProfilesPrefix = "/debug/pprof/"

const (
	// maxProfile is the longest time that a profile may be recorded for.
	maxProfile = time.Minute
	// AnswerTimeout is how long an answer may take to begin: a profile is sent once it is complete.
	AnswerTimeout = maxProfile + 10*time.Second
)

// profile answers with a profile in the format of go tool pprof: profile (CPU), trace, heap, goroutine or another one that
// package runtime/pprof lists. The command line, which net/http/pprof offers too, is left out: it may have the password of
// Redis.
func profile(w http.ResponseWriter, r *http.Request) {
	if seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64); err == nil && seconds > maxProfile.Seconds() {
		answer(w, http.StatusBadRequest, fmt.Sprintf("seconds is %g; the limit is %g", seconds, maxProfile.Seconds()))
		return
	}
	switch name := r.PathValue("name"); name {
	case "profile":
		pprof.Profile(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Handler(name).ServeHTTP(w, r)
	}
}
