package httpapi

import (
	"strconv"
	"strings"

	presence "github.com/writer-presence/writer-presence"
)

// matches reports whether a tag is in If-None-Match. It compares weakly (RFC 9110, 13.1.2), and ignores the
// encoding that a proxy added to the tag, within the quotes or after them: "7-gzip" (Apache), "7;gzip",
// "7--gzip" (Jetty), "7"-br. That is unambiguous: the server's tags are digits, or all of one length.
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

// isRewritten reports whether a quoted tag is the opaque one, perhaps with a suffix of a proxy.
func isRewritten(given, opaque string) bool {
	given, ok := strings.CutPrefix(given, `"`+opaque)
	if !ok {
		return false
	}
	within, after, ok := strings.Cut(given, `"`)
	return ok && isSuffix(within) && isSuffix(after)
}

// isSuffix reports whether s is empty or begins with a separator.
func isSuffix(s string) bool { return s == "" || strings.IndexByte("-;:+._", s[0]) >= 0 }

// newestOf returns the newest version in If-None-Match, 0 for none. It ignores what follows the number in a
// tag, such as the -gzip of some proxies.
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
