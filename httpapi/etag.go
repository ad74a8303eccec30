package httpapi

import (
	"strconv"
	"strings"

	presence "github.com/writer-presence/writer-presence"
)

// matches reports whether a tag is in If-None-Match. It compares weakly (RFC 9110, 13.1.2), and
// takes a tag to which a proxy added how it encodes the body, within the quotes or after them, for
// the tag itself: "7-gzip" (Apache), "7;gzip", "7--gzip" (Jetty), "7"-br. Tags of this server
// are digits, or of one length, so that no other of its tags begins with one and a separator.
func matches(lines []string, tag string) bool {
	opaque := strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	for _, line := range lines {
		for given := range strings.SplitSeq(line, ",") {
			if given = strings.TrimSpace(given); given == "*" || isRewritten(strings.TrimPrefix(given, "W/"), opaque) {
				return true
			}
		}
	}
	return false
}

// isRewritten reports whether a quoted tag is the opaque one, but for what a proxy added.
func isRewritten(given, opaque string) bool {
	given, ok := strings.CutPrefix(given, `"`+opaque)
	if !ok {
		return false
	}
	within, after, ok := strings.Cut(given, `"`)
	return ok && isSuffix(within) && isSuffix(after)
}

// isSuffix reports whether it is nothing, or something that a separator keeps apart.
func isSuffix(s string) bool { return s == "" || strings.IndexByte("-;:+._", s[0]) >= 0 }

// newestOf gives the newest version that If-None-Match names, 0 for none. What follows the number
// in a tag, such as the -gzip of some proxies, does not count.
func newestOf(lines []string) (newest uint64) {
	for _, line := range lines {
		for tag := range strings.SplitSeq(line, ",") {
			digits := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
			end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
			if version, err := strconv.ParseUint(digits[:max(end, 0)], 10, 64); err == nil && version <= presence.MaxSafe {
				newest = max(newest, version)
			}
		}
	}
	return newest
}
