package middleware

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// FuzzOrigin: whatever a browser is made to say of where a write comes from, it passes only from this very host or an
// origin that is allowed, and only the latter may read an answer from elsewhere.
//
// Security: S22, S26
func FuzzOrigin(f *testing.F) {
	for _, origin := range append([]string{"", allowed, "https://belfry.example", "HTTPS://belfry.example", "https://belfry.example/", "https://a@belfry.example", "http://[::1]:8080"}, foreign...) {
		for _, site := range []string{"", "same-origin", "same-site", "cross-site", "none", "Same-Origin"} {
			f.Add(site, origin, "belfry.example")
		}
	}
	handler := guarded(f)
	origins := []string{allowed, "http://localhost:5173"}
	f.Fuzz(func(t *testing.T, site, origin, host string) {
		listed := slices.Contains(origins, origin)
		own := origin != "" && hostOf(origin) == host
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			r := httptest.NewRequest(method, "https://belfry.example/api", nil)
			r.Host = host
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			passed, readable := w.Code == http.StatusOK, w.Header().Get("Access-Control-Allow-Origin")
			foreignSite := site != "" && site != "same-origin" && site != "none"
			switch {
			case !passed && w.Code != http.StatusForbidden:
				t.Errorf("%s: site %q, origin %q, host %q: %d", method, site, origin, host, w.Code)
			case passed && origin != "" && !listed && !own:
				t.Errorf("%s: site %q, origin %q passes on the host %q", method, site, origin, host)
			case passed && method != http.MethodGet && foreignSite && !listed:
				t.Errorf("%s: from site %q, origin %q passes", method, site, origin)
			case readable != "" && (!listed || readable != origin):
				t.Errorf("%s: origin %q may read: %q", method, origin, readable)
			case !passed && (listed || (origin == "" && (method == http.MethodGet || !foreignSite))):
				t.Errorf("%s: site %q, origin %q, host %q is refused", method, site, origin, host)
			}
		}
	})
}

// hostOf takes the host out of an origin by hand; empty where there is no http or https before it.
func hostOf(origin string) string {
	scheme, rest, _ := strings.Cut(origin, "://")
	if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}
