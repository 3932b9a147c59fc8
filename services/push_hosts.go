package services

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"belfry/models"
)

// pushHosts are the push services that a push may go to: an endpoint comes from whoever subscribes, and without a list
// this server would send requests to wherever they like, its own network first of all.
type pushHosts struct {
	names   []string // "HOST" or "*.HOST": https, standard port, public address
	origins []string // "https://HOST:PORT": as they are
}

func newPushHosts(list []string) (h pushHosts) {
	for _, one := range list {
		if strings.Contains(one, "://") {
			h.origins = append(h.origins, one)
		} else {
			h.names = append(h.names, one)
		}
	}
	return h
}

// service gives the origin of an endpoint, if a push may go there.
func (h pushHosts) service(endpoint string) (origin string, ok bool) {
	u, err := url.Parse(endpoint)
	if err != nil || len(endpoint) > models.MaxPushEndpoint || u.User != nil || u.Opaque != "" || strings.Contains(endpoint, "#") ||
		strings.ContainsFunc(endpoint, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", false
	}
	origin = u.Scheme + "://" + u.Host
	return origin, slices.Contains(h.origins, origin) || (u.Scheme == "https" && h.named(u.Host))
}

// named is whether a host, without a port, is one of the names.
func (h pushHosts) named(host string) bool {
	return slices.ContainsFunc(h.names, func(name string) bool {
		if below, wild := strings.CutPrefix(name, "*"); wild {
			return strings.HasSuffix(host, below) && len(host) > len(below)
		}
		return host == name
	})
}

// The bounds of a push.
const (
	pushTimeout = 10 * time.Second // for a push service to answer
	pushHeader  = 16 << 10         // bytes of an answer's header
	pushBody    = 4 << 10          // bytes of an answer's body that are read, so that its connection can be used again
)

// client follows no redirect, and reaches a service by its name only at a public address, whatever the name resolves to.
// A proxy of the environment's is the operator's, and may be anywhere.
func (h pushHosts) client() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = pushWidth
	transport.MaxResponseHeaderBytes = pushHeader
	anywhere := net.Dialer{Timeout: pushTimeout}
	public := net.Dialer{Timeout: pushTimeout, ControlContext: publicAlone}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && port == "443" && h.named(host) {
			return public.DialContext(ctx, network, address)
		}
		return anywhere.DialContext(ctx, network, address)
	}
	return &http.Client{Transport: transport, Timeout: pushTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

var errPrivateAddress = errors.New("the push service's name leads to an address that is not public")

// publicAlone refuses a connection when its address is known, so that a name cannot resolve to another one afterwards.
func publicAlone(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(at.Addr()) {
		return errPrivateAddress
	}
	return nil
}

// notPublic are the networks of the IANA special-purpose registries that netip does not tell by itself. 64:ff9b::/96 is not
// among them: behind NAT64 it is how public services look.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}
