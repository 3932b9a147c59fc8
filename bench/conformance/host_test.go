package conformance_test

import (
	"bytes"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

//go:embed pages
var pages embed.FS

// event is what a client says it got.
type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data string `json:"data"`
}

// host is an application with pages of its own and Belfry on the same origin, below /sse/ and /api/.
type host struct {
	*httptest.Server
	events chan event // that its pages report, in order
}

// newHost starts a host application. An empty belfry makes one that has only pages: those then talk
// to another origin.
func newHost(t *testing.T, belfry string) *host {
	t.Helper()
	h := &host{events: make(chan event, 10_000)}
	own, err := fs.Sub(pages, "pages")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(own))
	mux.HandleFunc("/modules/", serveModule)
	mux.HandleFunc("/docs/streams.js", serveDocumented)
	mux.HandleFunc("POST /report", func(w http.ResponseWriter, r *http.Request) {
		var batch []event
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, e := range batch {
			h.events <- e
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if belfry != "" {
		target, err := url.Parse(belfry)
		if err != nil {
			t.Fatal(err)
		}
		proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the same origin is the host that the browser named
		}}
		mux.Handle("/sse/", proxy)
		mux.Handle("/api/", proxy)
	}
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

// documented is the code that docs/streams.md shows a page to open streams with tickets by.
var documented = regexp.MustCompile(`(?m)^    let last = .*\n(?:    .*\n)+`)

// serveDocumented gives it out as it stands there, but for the address.
func serveDocumented(w http.ResponseWriter, _ *http.Request) {
	page, err := os.ReadFile("../../docs/streams.md")
	code := documented.Find(page)
	if err != nil || code == nil {
		http.Error(w, "docs/streams.md shows no such code", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/javascript")
	_, _ = w.Write(bytes.ReplaceAll(code, []byte("https://belfry.example"), nil))
}

// serveModule gives out what npm installed. Packages made for bundlers leave endings out.
func serveModule(w http.ResponseWriter, r *http.Request) {
	name := filepath.Join("clients", "node_modules", filepath.FromSlash(path.Clean(strings.TrimPrefix(r.URL.Path, "/modules"))))
	if filepath.Ext(name) == "" {
		name += ".js"
	}
	text, err := os.ReadFile(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/javascript")
	_, _ = w.Write(text)
}

// page is the address of a page, with what it is to know.
func page(base, name string, knowing ...string) string {
	query := url.Values{}
	for i := 0; i < len(knowing); i += 2 {
		query.Set(knowing[i], knowing[i+1])
	}
	return base + "/" + name + ".html?" + query.Encode()
}
