package middleware

import (
	"context"
	"log/slog"
	"strings"

	"github.com/gin-gonic/gin"

	"belfry/models"
	"belfry/services"
)

type principalKey struct{}

// PrincipalOf tells who is asking. It is never nil behind Authenticate.
func PrincipalOf(ctx context.Context) *services.Principal {
	p, ok := ctx.Value(principalKey{}).(*services.Principal)
	if !ok {
		return &services.Principal{}
	}
	return p
}

func withPrincipal(c *gin.Context, p *services.Principal) {
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), principalKey{}, p))
}

type clientKey struct{}

// ClientOf tells where a request came from, as far as it is trusted.
func ClientOf(ctx context.Context) services.Client {
	client, _ := ctx.Value(clientKey{}).(services.Client)
	return client
}

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
	value, err := c.Cookie(k.Name())
	if err != nil {
		return ""
	}
	return value
}

var errCredentialInQuery = models.Errorf(models.CodeUnauthenticated, "A credential does not belong into an address.")

// forbiddenInQuery are the names under which credentials are wrongly put into addresses, where logs and
// histories keep them.
var forbiddenInQuery = []string{"token", "access_token", "key", "api_key"}

// NoCredentialInQuery refuses addresses that carry a credential. Streams alone may, with a ticket.
func NoCredentialInQuery(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		if c.Request.URL.RawQuery == "" || strings.HasPrefix(c.Request.URL.Path, "/sse/") {
			return
		}
		query := c.Request.URL.Query()
		for _, name := range forbiddenInQuery {
			if query.Has(name) {
				Refuse(c, log, errCredentialInQuery)
				return
			}
		}
	}
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
		c.Request = c.Request.WithContext(context.WithValue(ctx, clientKey{}, services.Client{IP: c.ClientIP(), UserAgent: c.Request.UserAgent()}))
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
