package middleware

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"
)

// requestTimeout bounds a request of the API, so that a database that hangs is answered with 503.
const requestTimeout = 12 * time.Second

// Timeout gives each request a deadline.
func Timeout() gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), requestTimeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}
}
