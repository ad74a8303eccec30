// Package origin parses and compares the origins of pages as the WHATWG URL standard defines them.
package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Origin is the origin of a page: scheme, host and port, as the WHATWG URL standard serialises
// them. Two origins are the same if they are equal. The zero value is no origin.
type Origin struct {
	scheme string // http or https
	host   string // lower case, in punycode, IPv6 in brackets
	port   string // empty for the scheme's default
}

// Parse parses an origin, such as https://write.example.org. It accepts spellings that a
// browser would not send (capitals, the default port, IDN in Unicode). It rejects a text with a path, a
// query or user information.
func Parse(s string) (Origin, error) {
	scheme, authority, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return Origin{}, errors.New("the scheme is not http or https")
	}
	host, port, err := parseAuthority(authority, scheme)
	return Origin{scheme, host, port}, err
}

// String serialises the origin as browsers do in the header Origin.
func (o Origin) String() string { return o.scheme + "://" + o.authority() }

// authority returns the Host header of a request to this origin.
func (o Origin) authority() string {
	if o.port == "" {
		return o.host
	}
	return o.host + ":" + o.port
}

// IsAt reports whether a request for this Host goes to the origin. The scheme of the request is
// unknown behind a proxy that terminates TLS, so the scheme of the origin is used.
func (o Origin) IsAt(host string) bool {
	if o.host == "" {
		return false
	}
	if o.authority() == host {
		return true
	}
	name, port, err := parseAuthority(host, o.scheme)
	return err == nil && name == o.host && port == o.port
}

// parseAuthority parses a host with an optional port, and drops the default port of the scheme.
func parseAuthority(authority, scheme string) (host, port string, err error) {
	host = authority
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", "", fmt.Errorf("%q is not a port", port)
		}
		port = strconv.FormatUint(n, 10)
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	host, err = parseHost(host)
	return host, port, err
}

// domains converts names as the URL standard does (domain to ASCII, beStrict false).
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false), idna.CheckJoiners(true), idna.StrictDomainName(false))

// parseHost parses a name or an address. Of IPv4 it accepts the usual form only, not the octal and shortened ones
// of the URL standard, which no browser sends.
func parseHost(s string) (string, error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !a.Is6() || a.Zone() != "" || !strings.HasSuffix(inner, "]") {
			return "", fmt.Errorf("%q is not an IPv6 address", s)
		}
		return "[" + serialiseIPv6(a) + "]", nil
	}
	name := strings.ToLower(s)
	if !isPlainName(name) {
		var err error
		if name, err = domains.ToASCII(s); err != nil || !isName(name) {
			return "", fmt.Errorf("%q is not a host", s)
		}
	}
	if len(name) == 0 || len(name) > 253 || strings.Contains(name, "..") || name[0] == '.' {
		return "", fmt.Errorf("%q is not a host", s)
	}
	if endsInNumber(name) {
		a, err := netip.ParseAddr(strings.TrimSuffix(name, "."))
		if err != nil || !a.Is4() {
			return "", fmt.Errorf("%q is not an IPv4 address of four numbers", s)
		}
		return a.String(), nil
	}
	return name, nil
}

// serialiseIPv6 writes IPv4 in IPv6 in hexadecimal, as browsers do.
func serialiseIPv6(a netip.Addr) string {
	if !a.Is4In6() {
		return a.String()
	}
	b := a.As16()
	return fmt.Sprintf("::ffff:%x:%x", uint16(b[12])<<8|uint16(b[13]), uint16(b[14])<<8|uint16(b[15]))
}

// isPlainName reports whether a name needs no conversion to ASCII.
func isPlainName(name string) bool { return isName(name) && !strings.Contains(name, "xn--") }

// isName reports whether a name has only the characters of host names.
func isName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// endsInNumber reports whether the URL standard parses a name as an IPv4 address.
func endsInNumber(name string) bool {
	name = strings.TrimSuffix(name, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last != "" && strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == ""
}

// Pattern is an entry of --allowed-origins: one origin, or all origins below a domain.
type Pattern struct {
	origin Origin
	// below is the suffix of the hosts that match https://*.example.org: ".example.org".
	below string
}

// ParsePattern parses an origin, or a pattern such as https://*.example.org. It returns an error for an entry
// that no origin can match.
func ParsePattern(s string) (Pattern, error) {
	scheme, authority, _ := strings.Cut(s, "://")
	rest, wildcard := strings.CutPrefix(authority, "*.")
	if wildcard {
		s = scheme + "://" + rest
	}
	o, err := Parse(s)
	if err != nil {
		return Pattern{}, err
	}
	if !wildcard {
		return Pattern{origin: o}, nil
	}
	if _, err := netip.ParseAddr(strings.Trim(o.host, "[]")); err == nil {
		return Pattern{}, errors.New("an address has no subdomains")
	}
	return Pattern{origin: o, below: "." + o.host}, nil
}

// Matches reports whether an origin matches the pattern. https://*.example.org does not match
// https://example.org itself.
func (p Pattern) Matches(o Origin) bool {
	if p.below == "" {
		return o == p.origin && o.host != ""
	}
	return o.scheme == p.origin.scheme && o.port == p.origin.port && len(o.host) > len(p.below) && strings.HasSuffix(o.host, p.below)
}

// IsExact reports whether the pattern is one origin, not a wildcard.
func (p Pattern) IsExact() bool { return p.below == "" }

// Host returns the host of a Host header in the form that identifies a tenant: without the default port of either
// scheme, and without a trailing dot.
func Host(header string) (string, bool) {
	host, port, err := parseAuthority(header, "https")
	if err != nil {
		return "", false
	}
	if port == "80" {
		port = ""
	}
	if host = strings.TrimSuffix(host, "."); port != "" {
		return host + ":" + port, true
	}
	return host, true
}
