package middleware

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"belfry/models"
	"belfry/services"
)

type principalKey struct{}

// PrincipalOf tells who is asking: nobody, where Authenticate has not found out. It is never nil.
func PrincipalOf(ctx context.Context) *services.Principal {
	p, ok := ctx.Value(principalKey{}).(*services.Principal)
	if !ok {
		return &services.Principal{}
	}
	return p
}

func withPrincipal(c *gin.Context, p *services.Principal) {
	c.Request = c.Request.WithContext(asPrincipal(c.Request.Context(), c, p))
}

// asPrincipal is a request's context of who asks.
func asPrincipal(ctx context.Context, c *gin.Context, p *services.Principal) context.Context {
	by := p.By(services.Client{IP: c.ClientIP(), UserAgent: c.Request.UserAgent()})
	return services.WithActor(context.WithValue(ctx, principalKey{}, p), by)
}

// AsKey lets a request be a key's that was found in a place of its own, as senders of other servers put it.
func AsKey(c *gin.Context, key *models.Key) { withPrincipal(c, &services.Principal{Key: key}) }

// Cookies knows the name of the session's cookie. Over https it begins with __Host-, which binds it to
// this host and to a secure connection (RFC 6265bis §4.1.3.2).
type Cookies struct{ Secure bool }

// Name is the cookie's name.
func (k Cookies) Name() string {
	if k.Secure {
		return "__Host-belfry"
	}
	return "belfry"
}

// Of reads the session's cookie; empty when there is none.
func (k Cookies) Of(c *gin.Context) string {
	cookie, err := c.Request.Cookie(k.Name()) // as it is: Gin would look for escapes, which a token has none of
	if err != nil {
		return ""
	}
	return cookie.Value
}

var errCredentialInQuery = models.Errorf(models.CodeUnauthenticated, "A credential does not belong into an address.")

// forbiddenInQuery are the names under which credentials are wrongly put into addresses, where logs and
// histories keep them.
var forbiddenInQuery = []string{"token", "access_token", "key", "api_key"}

// NoCredentialInQuery refuses addresses that carry a credential. Streams alone may, with a ticket. What is for a handler that
// refuses them in a shape of its own is left to that.
func NoCredentialInQuery(log *slog.Logger, refusesItself func(*gin.Context) bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		if !strings.HasPrefix(c.Request.URL.Path, "/sse/") && CredentialInQuery(c) && !refusesItself(c) {
			Refuse(c, log, errCredentialInQuery)
		}
	}
}

// CredentialInQuery reports whether an address carries a credential, by a name that is known to be one.
func CredentialInQuery(c *gin.Context) bool {
	if c.Request.URL.RawQuery == "" {
		return false
	}
	query, broken := c.Request.URL.Query(), brokenPairs(c.Request.URL.RawQuery)
	return slices.ContainsFunc(forbiddenInQuery, func(name string) bool { return query.Has(name) || slices.Contains(broken, name) })
}

// Bearer reads the credential of an Authorization header. given is true when there is such a header,
// whatever it holds: a bad one must not fall back to the cookie.
func Bearer(c *gin.Context) (token string, given bool) {
	header := c.GetHeader("Authorization")
	if header == "" {
		_, given = c.Request.Header["Authorization"]
		return "", given
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", true
	}
	return strings.TrimSpace(token), true
}

// Authenticate finds out who is asking, before anything else is looked at. It refuses a credential that
// is no good; that none came is for each route's own rule to judge.
func Authenticate(sessions *services.Sessions, keys *services.Keys, cookies Cookies, log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx := c.Request.Context()
		p := &services.Principal{}
		if token, given := Bearer(c); given {
			key, err := keys.Resolve(ctx, token)
			if err != nil {
				Refuse(c, log, err)
				return
			}
			p.Key = key
		} else if cookie := cookies.Of(c); cookie != "" {
			live, err := sessions.Resolve(ctx, cookie)
			if err != nil && models.CodeOf(err) != models.CodeUnauthenticated {
				Refuse(c, log, err)
				return
			}
			p.Live = live // an unknown cookie is none
		}
		withPrincipal(c, p)
	}
}
