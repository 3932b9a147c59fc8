package handlers

import (
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"belfry/web"
)

// page serves the front end: its files by name, and for every other address the page itself, which
// knows its own routes. What lies under /api and /sse is never a page.
func (s *Server) page() gin.HandlerFunc {
	dist := web.Dist()
	files := http.FileServerFS(dist)
	guard := s.Origins.CORS(s.Log)
	return func(c *gin.Context) {
		name := strings.TrimPrefix(path.Clean("/"+c.Request.URL.Path), "/")
		if isUnder(name, "api") || isUnder(name, "sse") {
			c.Header("Cache-Control", "no-store")
			if guard(c); !c.IsAborted() {
				s.refuse(c, errNoRoute)
			}
			return
		}
		if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
			s.refuse(c, errNoMethod)
			return
		}
		info, err := fs.Stat(dist, name)
		switch {
		case name == "" || err != nil || info.IsDir() || strings.HasPrefix(path.Base(name), "."):
			if isUnder(name, "assets") { // a file of another build: the page would be no answer
				s.refuse(c, errNoRoute)
				return
			}
			c.Request.URL.Path = "/"
			c.Header("Cache-Control", "no-cache")
		case isUnder(name, "assets"):
			// The name holds a hash of the content.
			c.Header("Cache-Control", "public, max-age=31536000, immutable")
		default:
			c.Header("Cache-Control", "no-cache")
		}
		c.Status(http.StatusOK)
		files.ServeHTTP(c.Writer, c.Request)
	}
}

func isUnder(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }
