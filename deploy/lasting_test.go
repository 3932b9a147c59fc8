package deploy_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIdleStreamOutlivesTheTimeout: nginx gives up a node that says nothing for longer than proxy_read_timeout, and the
// heartbeat keeps a stream from that on which nothing happens.
func TestIdleStreamOutlivesTheTimeout(t *testing.T) {
	t.Parallel()
	const timeout, heartbeat = 4 * time.Second, 200 * time.Millisecond // far apart: a busy machine beats late
	b := startBelfry(t, strings.Replace(fmt.Sprintf(right, "impatient"), "timeout 1h", "timeout "+timeout.String(), 1))
	b.environ = append(b.environ, "BELFRY_HEARTBEAT="+heartbeat.String())
	b.up(t)
	cookie := b.login(t)
	idle := b.stream(t, "/impatient/sse/stream", "Cookie: "+cookie)
	began := time.Now()
	for idle.await("event: hello"); time.Since(began) < timeout+timeout/4; {
		idle.await("event: ping")
	}
	b.post(t, "/api/v1/notices", cookie, `{"to":{"users":["admin"]},"title":"great tom"}`, http.StatusCreated)
	idle.await("event: notice")
}

// TestSilentNodeIsGivenUp: a node that hangs ends nothing by itself, and neither does a browser that waits for it. So nginx
// does, and the browser comes back. Between two ticks of the clock it has to wait.
func TestSilentNodeIsGivenUp(t *testing.T) {
	t.Parallel()
	p := startNginx(t, "", node(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, "data: one\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	conf := filepath.Join(p.dir, "nginx.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	limits := regexp.MustCompile(`proxy_read_timeout (\d+)s;`).FindAllStringSubmatch(string(text), -1)
	if len(limits) != 2 || limits[0][1] != "60" || limits[1][1] != "130" {
		t.Fatalf("streams may be silent for %q", limits)
	}
	writeFile(t, conf, strings.NewReplacer(limits[0][0], "proxy_read_timeout 1s;", limits[1][0], "proxy_read_timeout 4s;").Replace(string(text)))
	p.stop()
	if err := p.start(t); err != nil {
		t.Fatal(err)
	}
	lasts := func(path string) time.Duration {
		stream, began := p.get(t, path).Body, time.Now()
		defer time.AfterFunc(patience, func() { _ = stream.Close() }).Stop()
		_, _ = io.Copy(io.Discard, stream) // it ends in the middle, which is an error
		return time.Since(began)
	}
	if lasted := lasts("/sse/notice"); lasted > 3*time.Second {
		t.Errorf("a node that says nothing was waited for as long as %v", lasted)
	}
	if lasted := lasts("/sse/clock?every=120"); lasted < 3*time.Second || lasted >= patience {
		t.Errorf("the clock was given up after %v", lasted)
	}
}

// follow reads as a browser does whose connection is cut: it comes back.
func (r *reader) follow(ctx context.Context, b *belfry, cookie string, got chan<- string) error {
	for {
		err := r.read(ctx, b, cookie, got)
		if _, cut := errors.AsType[*url.Error](err); !cut {
			return err
		}
	}
}

// TestReloadUnderLoad has nginx read its configuration anew while people read and publish. Old workers are ended with the
// streams that they hold: each comes back to a new one, sees no status but 200, and misses nothing.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	const reloads = 2
	b := startBelfry(t, "")
	b.up(t)
	workers := strings.Count(b.logs(t), "start worker process ")
	reload := func() {
		t.Helper()
		if err := b.proxy.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	ended := func() int { return strings.Count(b.logs(t), "exited with code 0") }
	shorten(t, filepath.Join(b.dir, "nginx.conf"))
	reload()
	within(t, "old workers end", func() bool { return ended() >= workers })

	a := b.gather(t, b.login(t), (*reader).follow)
	for i := range reloads {
		reload()
		for k := 0; ended() < (i+2)*workers; k++ {
			a.tell(t, fmt.Sprintf("reload %d, letter %d", i, k))
		}
		a.tell(t, "after reload "+strconv.Itoa(i))
	}
	if visits := a.part(t); visits < readers*(reloads+1) {
		t.Errorf("%d visits of %d readers: the old workers have let them be", visits, readers)
	}
}

// shorten has workers that come by the next reload keep their streams for a second after the one that follows.
func shorten(t *testing.T, conf string) {
	t.Helper()
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	shorter := strings.Replace(string(text), "worker_shutdown_timeout 30s;", "worker_shutdown_timeout 1s;", 1)
	if shorter == string(text) {
		t.Fatal("workers have another time to end")
	}
	writeFile(t, conf, shorter)
}

// within waits until something is so.
func within(t *testing.T, what string, reached func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not after %v: %s", patience, what)
		}
	}
}

// TestDescriptionIsCompressed: what is the same for everybody is, as the node itself gives it, and what is not has to be as long
// as it is.
func TestDescriptionIsCompressed(t *testing.T) {
	t.Parallel()
	b := startBelfry(t, "")
	b.up(t)
	description := b.get(t, "/api/openapi.json", "Accept-Encoding: gzip")
	packed, err := gzip.NewReader(description.Body)
	if err != nil || !slices.Contains(description.Header.Values("Vary"), "Accept-Encoding") {
		t.Fatalf("%v, %v", err, description.Header)
	}
	if err := json.NewDecoder(packed).Decode(&struct{ OpenAPI string }{}); err != nil {
		t.Error(err)
	}
	text := `{"text":"` + strings.Repeat("bell ", 1000) + `"}`
	p := startNginx(t, "", node(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, text)
	}))
	if inbox := p.get(t, "/api/v1/notices", "Accept-Encoding: gzip"); inbox.Header.Get("Content-Encoding") != "" || body(t, inbox) != text {
		t.Errorf("%v", inbox.Header)
	}
}
