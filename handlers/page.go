package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"belfry/web"
)

// script is what pages of other origins load: the elements and the client, under a name that stays.
const script = "belfry.js"

// page serves the front end: its files by name, and for every other address the page itself, which
// knows its own routes. What lies under /api and /sse is never a page.
func (s *Server) page() gin.HandlerFunc {
	dist := web.Dist()
	tags := entityTags(dist)
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
			c.Header("ETag", tags["index.html"])
		case isUnder(name, "assets"):
			// The name holds a hash of the content.
			c.Header("Cache-Control", "public, max-age=31536000, immutable")
		default:
			c.Header("Cache-Control", "no-cache")
			c.Header("ETag", tags[name])
		}
		if name == script {
			// There is nothing of anybody in it, so any page may have it, one that is isolated from other origins too.
			c.Header("Access-Control-Allow-Origin", "*")
			c.Header("Cross-Origin-Resource-Policy", "cross-origin")
		}
		if path.Ext(name) == ".webmanifest" { // a type that not every system knows
			c.Header("Content-Type", "application/manifest+json")
		}
		c.Status(http.StatusOK)
		files.ServeHTTP(c.Writer, c.Request)
	}
}

// entityTags are those of the files whose names stay the same in every build. Embedded files have no time, so without a tag
// each of them would be sent again whenever it is asked for.
func entityTags(dist fs.FS) map[string]string {
	tags := map[string]string{}
	names, _ := fs.Glob(dist, "*") // only a bad pattern fails
	for _, name := range names {
		if content, err := fs.ReadFile(dist, name); err == nil { // folders apart
			sum := sha256.Sum256(content)
			tags[name] = `"` + hex.EncodeToString(sum[:16]) + `"`
		}
	}
	return tags
}

func isUnder(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }
