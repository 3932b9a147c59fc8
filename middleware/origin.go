package middleware

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"

	"belfry/models"
)

var errOrigin = models.Errorf(models.CodeForbidden, "Requests from this origin are not accepted.")

const preflightAge = 2 * time.Hour

// Origins says which other origins may call, as browsers write them; exact, never a pattern.
type Origins []string

// CORS lets the given origins read answers, with credentials, and refuses all others but our own. The
// refusal is ours, because the library's has no body.
func (o Origins) CORS(log *slog.Logger) gin.HandlerFunc {
	answer := cors.New(cors.Config{
		AllowOriginFunc:  func(origin string) bool { return slices.Contains(o, origin) },
		AllowMethods:     []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowHeaders:     []string{"Authorization", "Content-Type", "Last-Event-ID", "Idempotency-Key", "Cache-Control"},
		ExposeHeaders:    []string{"Retry-After", "Idempotency-Replayed", "Log-End", "Task-State"},
		AllowCredentials: true,
		MaxAge:           preflightAge,
	})
	return func(c *gin.Context) {
		origin := c.GetHeader("Origin")
		c.Writer.Header().Add("Vary", "Origin")
		switch {
		case origin == "" || sameHost(origin, c.Request.Host):
		case !slices.Contains(o, origin):
			Refuse(c, log, errOrigin)
		default:
			c.Writer.Header().Del("Vary") // the library sets it again
			answer(c)
		}
	}
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host == host && (u.Scheme == "http" || u.Scheme == "https")
}

// CrossOrigin refuses writes that another site made the browser send, login included: a cookie goes
// with them though the user never asked. A bearer credential is not sent by itself, so it passes.
func (o Origins) CrossOrigin(log *slog.Logger) (gin.HandlerFunc, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range o {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return func(c *gin.Context) {
		if _, bearer := Bearer(c); bearer {
			return
		}
		if err := protection.Check(c.Request); err != nil {
			Refuse(c, log, errOrigin)
		}
	}, nil
}

// StreamOrigin refuses streams that another site opens without a word of its origin. The
// cross-origin protection lets every GET through.
func (o Origins) StreamOrigin(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		if c.GetHeader("Sec-Fetch-Site") == "cross-site" && !slices.Contains(o, c.GetHeader("Origin")) {
			Refuse(c, log, errOrigin)
		}
	}
}
