package middleware

import (
	"maps"

	"github.com/gin-gonic/gin"
)

// contentSecurity lets the page load what this server serves and nothing else.
const contentSecurity = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Headers sets what every answer carries. secure is true where browsers come over https.
func Headers(secure bool) gin.HandlerFunc {
	// One list of each for all answers, under names as net/http writes them. Who adds to one gets a list of their own.
	always := map[string][]string{
		"X-Content-Type-Options":  {"nosniff"},
		"Referrer-Policy":         {"no-referrer"},
		"Content-Security-Policy": {contentSecurity},
		"Permissions-Policy":      {"camera=(), microphone=(), geolocation=()"},
		// Another site's window cannot reach into ours; a window that we open, as to sign in elsewhere, can tell us that it is done.
		"Cross-Origin-Opener-Policy": {"same-origin-allow-popups"},
	}
	if secure {
		always["Strict-Transport-Security"] = []string{"max-age=31536000"}
	}
	return func(c *gin.Context) { maps.Copy(c.Writer.Header(), always) }
}

// NoStore keeps answers out of every cache.
func NoStore() gin.HandlerFunc {
	return func(c *gin.Context) { c.Header("Cache-Control", "no-store") }
}
