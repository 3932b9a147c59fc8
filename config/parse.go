package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// minSecret is the length of a key for HMAC-SHA-256 below which the key is weaker than the hash.
const minSecret = 32

func text(value string) (string, bool) { return value, true }

func oneOf(words ...string) func(string) (string, bool) {
	return func(value string) (string, bool) { return value, slices.Contains(words, value) }
}

func secret(value string) ([]byte, bool) { return []byte(value), len(value) >= minSecret }

func secrets(value string) (list [][]byte, ok bool) {
	for item := range strings.SplitSeq(value, ",") {
		one, ok := secret(strings.TrimSpace(item))
		if !ok {
			return nil, false
		}
		list = append(list, one)
	}
	return list, true
}

// token is a value that goes into a header.
func token(value string) (string, bool) {
	return value, !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' })
}

// The most of a duration and of a rate: with more, sums and products of them no longer fit into 64 bits.
const (
	longest  = 200 * 365 * 24 * time.Hour
	mostRate = 1_000_000
)

func atLeast(least time.Duration) func(string) (time.Duration, bool) {
	return func(value string) (time.Duration, bool) {
		d, err := time.ParseDuration(value)
		return d, err == nil && d >= least && d <= longest
	}
}

func positive(value string) (int, bool) {
	n, err := strconv.Atoi(value)
	return n, err == nil && n > 0
}

func rate(value string) (Rate, bool) {
	count, unit, _ := strings.Cut(value, "/")
	n, ok := positive(count)
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	return Rate{Count: n, Per: per}, ok && n <= mostRate && per > 0
}

// The bounds of an argon2id hash. Below the least memory OWASP names no safe number of passes; above the most a handful
// of sign-ins would take the machine.
const (
	leastArgon2Memory = 7 << 10 // KiB
	mostArgon2Memory  = 1 << 20 // KiB
	mostArgon2Passes  = 100
	mostArgon2Lanes   = 64
)

func argon2(value string) (Argon2, bool) {
	var a Argon2
	n, err := fmt.Sscanf(value+"\n", "m=%d,t=%d,p=%d\n", &a.Memory, &a.Passes, &a.Lanes)
	return a, err == nil && n == 3 && a.Memory >= leastArgon2Memory && a.Memory <= mostArgon2Memory &&
		a.Passes >= 1 && a.Passes <= mostArgon2Passes && a.Lanes >= 1 && a.Lanes <= mostArgon2Lanes
}

func level(value string) (slog.Level, bool) {
	l, ok := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[value]
	return l, ok
}

// address is what a listener can take: a port in digits, 0 for any free one.
func address(value string) (string, bool) {
	host, port, err := net.SplitHostPort(value)
	if err != nil || strings.ContainsAny(host, "/ \t") {
		return "", false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return value, err == nil
}

func database(value string) (string, bool) {
	if path, ok := strings.CutPrefix(value, "sqlite:"); ok {
		// In memory every connection would see a database of its own.
		return value, strings.TrimPrefix(path, "//") != "" && path != ":memory:"
	}
	return postgres(value)
}

func postgres(value string) (string, bool) {
	u, err := url.Parse(value)
	return value, err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") && u.Opaque == ""
}

func natsServers(value string) (string, bool) {
	for server := range strings.SplitSeq(value, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return "", false
		}
	}
	return value, true
}

// web parses an address that a browser or a client can call.
func web(value string) (*url.URL, bool) {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		return nil, false
	}
	return u, u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && !strings.HasSuffix(value, "#")
}

func endpoint(value string) (string, bool) {
	_, ok := web(value)
	return strings.TrimRight(value, "/"), ok
}

// issuer is kept letter for letter, because that is how the provider's tokens are compared with it. Tokens that came over
// plain http could be anybody's, but from this machine.
func issuer(value string) (string, bool) {
	_, ok := web(value)
	return value, ok && safe(value)
}

// safe is whether nobody on the way can read or change what goes to an address.
func safe(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}

// maxLabel is how many characters fit on a button.
const maxLabel = 60

func label(value string) (string, bool) {
	return value, utf8.ValidString(value) && utf8.RuneCountInString(value) <= maxLabel && !strings.ContainsFunc(value, unicode.IsControl)
}

func yesNo(value string) (bool, bool) { return value == "true", value == "true" || value == "false" }

// site is an address without a path: the app lives at the root of its host.
func site(value string) (*url.URL, bool) {
	u, ok := web(value)
	if !ok || strings.Trim(u.Path, "/") != "" {
		return nil, false
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, true
}

// origins wants each origin letter for letter as browsers send it, because that is how it is compared;
// one that could never match would look like protection and be a fault.
func origins(value string) ([]string, bool) {
	var list []string
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		u, ok := web(item)
		if !ok || strings.ContainsFunc(item, func(r rune) bool { return r <= ' ' || r > '~' || r == '*' }) {
			return nil, false
		}
		standard := map[string]string{"http": "80", "https": "443"}[u.Scheme]
		if item != u.Scheme+"://"+strings.ToLower(u.Host) || u.Port() == standard || strings.HasSuffix(u.Host, ":") {
			return nil, false
		}
		list = append(list, item)
	}
	return list, true
}

// networks also takes a bare address, for the network of that one host.
func networks(value string) ([]netip.Prefix, bool) {
	var list []netip.Prefix
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		if one, err := netip.ParseAddr(item); err == nil && one.Zone() == "" {
			list = append(list, netip.PrefixFrom(one, one.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(item)
		if err != nil {
			return nil, false
		}
		list = append(list, p.Masked())
	}
	return list, true
}

// hostName is a name of the DNS as browsers write it: letters, digits and hyphens, with a dot between labels.
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$`)

// pushHosts takes names, and origins by https; what goes by http could be read on the way, but on this machine.
func pushHosts(value string) ([]string, bool) {
	var list []string
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		if strings.Contains(item, "://") {
			if one, ok := origins(item); !ok || one[0] != item || !safe(item) {
				return nil, false
			}
		} else if !hostName.MatchString(strings.TrimPrefix(item, "*.")) {
			return nil, false
		}
		list = append(list, item)
	}
	return list, true
}

// contact is what a push service is told of us, in a header.
func contact(value string) (string, bool) {
	if address, ok := strings.CutPrefix(value, "mailto:"); ok {
		parsed, err := mail.ParseAddress(address)
		return value, err == nil && parsed.Address == address
	}
	u, ok := web(value)
	return value, ok && u.Scheme == "https"
}
