package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rhythmTicks = 5                      // a second apart
	unevenLimit = 500 * time.Millisecond // between the quickest and the slowest tick
	slowLimit   = 2 * time.Second        // for a first event
	stopFor     = 2 * time.Second        // how long the slow reader reads nothing; below the server's write timeout
	drainLimit  = 60 * time.Second
	stallLimit  = 4 * time.Second
)

// examine makes all checks: first whether there is a clock at all, then the others side by side, for most of them wait.
func (d *doctor) examine(ctx context.Context) []finding {
	reach, there := d.reach(ctx)
	if !there {
		return reach
	}
	request := d.request(ctx) // also learns of the heartbeat
	checks := []func(context.Context) []finding{d.rhythm, d.compression, d.slowReader, d.silence, d.connections, d.person}
	results := make([][]finding, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() { results[i] = check(ctx) })
	}
	all.Wait()
	return slices.Concat(reach, request, slices.Concat(results...))
}

// reach opens the clock once, and looks at the head of the answer.
func (d *doctor) reach(ctx context.Context) (findings []finding, there bool) {
	v, err := d.open(ctx, d.transport(), "/sse/clock?every=1", answerLimit, nil)
	if err != nil {
		return []finding{wrong("reach", fixReach, "no answer: %s", describeTransport(err))}, false
	}
	defer v.close()
	if fault := v.isStream(); fault != "" {
		return []finding{wrong("reach", fixReach, "%s", fault)}, false
	}
	first, err := v.tick()
	if err != nil {
		if time.Since(v.headed) >= answerLimit/2 {
			return []finding{wrong("first event", fixBuffering, "nothing came within %s: it is held back", answerLimit)}, false
		}
		return []finding{wrong("reach", fixReach, "the stream ended before its first event: the proxy finds no Belfry behind it, or Belfry is about to end")}, false
	}
	took := first.came.Sub(v.began).Round(time.Millisecond)
	if took > slowLimit {
		findings = append(findings, wrong("first event", fixBuffering, "it came after %s", took))
	} else {
		findings = append(findings, ok("first event", "after %s", took))
	}
	return append(findings, d.head(v.resp)...), true
}

// head looks at the protocol that browsers get, and at headers that came from Belfry.
func (d *doctor) head(resp *http.Response) []finding {
	var findings []finding
	switch {
	case resp.ProtoMajor >= 2:
		findings = append(findings, ok("http/2", "spoken"))
	case d.secure:
		findings = append(findings, wrong("http/2", fixHTTP2, "not spoken: over HTTP/1.1 a browser opens six connections to a site, all its tabs together"))
	default:
		findings = append(findings, note("http/2", "not spoken without TLS: a browser opens six connections to a site, all its tabs together"))
	}
	lost := 0
	for _, header := range [][2]string{{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}} {
		name, want := header[0], header[1]
		if got := strings.Join(resp.Header.Values(name), ", "); !strings.Contains(got, want) {
			lost++
			findings = append(findings, wrong("headers", fixResponseHeader.with(name), "the answer's %s was lost or replaced on the way; Belfry sends %s", name, want))
		}
	}
	if lost == 0 {
		findings = append(findings, ok("headers", "those of the answer came through"))
	}
	return findings
}

// request has the clock say how a request came in.
func (d *doctor) request(ctx context.Context) []finding {
	const check = "request"
	sent := http.Header{"Authorization": {"Bearer doctor"}, "Cookie": {"doctor=1"}, "Last-Event-Id": {"doctor-0"}}
	v, err := d.open(ctx, d.transport(), "/sse/clock?every=1&echo=1", answerLimit, sent)
	if err != nil {
		return []finding{wrong(check, fixReach, "no answer: %s", describeTransport(err))}
	}
	defer v.close()
	if fault := v.isStream(); fault != "" {
		return []finding{wrong(check, fixRequestHeader.with("Authorization"), "with Authorization, Cookie and Last-Event-ID %s", fault)}
	}
	line, err := v.line()
	text, echoed := strings.CutPrefix(line, ": {")
	var came struct {
		Protocol, Host string
		Headers        []string
		HeartbeatMS    int64 `json:"heartbeat_ms"`
	}
	if err != nil || !echoed || json.Unmarshal([]byte("{"+text), &came) != nil {
		return []finding{skipped(check, "this Belfry does not say how a request came in")}
	}
	d.heartbeat = time.Duration(came.HeartbeatMS) * time.Millisecond
	var findings []finding
	for _, name := range []string{"Authorization", "Cookie", "Last-Event-ID"} {
		if !slices.Contains(came.Headers, name) {
			findings = append(findings, wrong(check, fixRequestHeader.with(name), "%s does not reach Belfry: %s", name, lostHeader[name]))
		}
	}
	if came.Protocol == "HTTP/1.0" {
		findings = append(findings, wrong(check, fixProtocol,
			"Belfry is asked by HTTP/1.0: the end of a stream that was cut looks like a good one, and no connection is used twice"))
	}
	if !sameHost(came.Host, d.host) {
		findings = append(findings, wrong(check, fixHost, "Host reaches Belfry as something else than was asked for: sign-in and all writes of its page are refused"))
	}
	if findings == nil {
		findings = append(findings, ok(check, "%s, with all its headers", came.Protocol))
	}
	return findings
}

var lostHeader = map[string]string{
	"Authorization": "keys and tickets of programs are refused",
	"Cookie":        "nobody can be signed in",
	"Last-Event-ID": "a browser that comes back misses what came meanwhile",
}

// sameHost compares two hosts less the ports that go without saying.
func sameHost(a, b string) bool {
	plain := func(host string) string {
		return strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), ":443"), ":80")
	}
	return plain(a) == plain(b)
}

// rhythm compares when ticks were sent with when they come: what holds them back lets them go in bursts.
func (d *doctor) rhythm(ctx context.Context) []finding {
	const check = "rhythm"
	v, err := d.open(ctx, d.transport(), "/sse/clock?every=1", rhythmTicks*time.Second+answerLimit, nil)
	if err != nil {
		return []finding{wrong(check, fixReach, "no answer: %s", describeTransport(err))}
	}
	defer v.close()
	var quickest, slowest time.Duration
	last := time.Now()
	for n := range rhythmTicks {
		t, err := v.tick()
		switch {
		case err != nil && time.Since(last) < answerLimit:
			return []finding{wrong(check, fixIdle, "a stream was cut after %d ticks", n)}
		case err != nil:
			return []finding{wrong(check, fixBuffering, "after %d ticks none came any more", n)}
		}
		last = t.came
		late := t.came.Sub(t.said) // the difference of the clocks is in each of them
		if n == 0 || late < quickest {
			quickest = late
		}
		if n == 0 || late > slowest {
			slowest = late
		}
	}
	uneven := (slowest - quickest).Round(time.Millisecond)
	if uneven > unevenLimit {
		return []finding{wrong(check, fixBuffering, "ticks come in bursts, up to %s apart from when they were sent: they are held back", uneven)}
	}
	return []finding{ok(check, "%d ticks, uneven by %s", rhythmTicks, uneven)}
}

// compression asks as browsers do, over either protocol, for a proxy may treat them apart.
func (d *doctor) compression(ctx context.Context) []finding {
	const check = "compression"
	for _, major := range []int{2, 1} {
		transport := d.transport()
		if major == 1 {
			onlyHTTP1(transport)
		}
		asBrowsers := http.Header{"Accept-Encoding": {"gzip, deflate, br, zstd"}} // and nobody else here, or all would be held back
		v, err := d.open(ctx, transport, "/sse/clock?every=1", answerLimit, asBrowsers)
		if err != nil {
			return []finding{skipped(check, "no answer: %s", describeTransport(err))}
		}
		encoding := v.resp.Header.Get("Content-Encoding")
		v.close()
		if encoding != "" && encoding != "identity" {
			return []finding{wrong(check, fixCompression, "streams are compressed, which holds events back and costs memory for each stream")}
		}
	}
	return []finding{ok(check, "none")}
}

func onlyHTTP1(t *http.Transport) {
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
}

// slowReader stops reading a stream of filler. Belfry has to feel that: then what comes afterwards was written later
// than the stop. Where all of it was written before, something in between has taken in what nobody reads.
func (d *doctor) slowReader(ctx context.Context) []finding {
	const check = "slow reader"
	transport := d.transport()
	onlyHTTP1(transport) // an HTTP/2 client takes in megabytes by itself
	v, err := d.open(ctx, transport, "/sse/clock?every=1&fill=1", stopFor+drainLimit, nil)
	if err != nil {
		return []finding{wrong(check, fixReach, "no answer: %s", describeTransport(err))}
	}
	defer v.close()
	first, err := v.tick()
	if err != nil {
		return []finding{skipped(check, "the stream ended")}
	}
	select {
	case <-time.After(stopFor):
	case <-ctx.Done():
		return nil
	}
	return []finding{v.aged(first.said.Add(stopFor / 2))} // by the server's clock, and well before we read on
}

// aged reads filler until some comes that was written after a time.
func (v *visit) aged(after time.Time) finding {
	const check = "slow reader"
	taken := wrong(check, fixBuffering, "a proxy takes in all that a slow reader does not read: events grow old there, and Belfry cannot tell")
	stalled := time.AfterFunc(stallLimit, v.cancel) // what buffers may also keep the last of it
	defer stalled.Stop()
	for n := 0; ; n++ {
		line, err := v.line()
		text, isFiller := strings.CutPrefix(line, ": filler ")
		switch {
		case n == 0 && !isFiller:
			return skipped(check, "Belfry does it for one client at a time: try again in a minute")
		case err != nil && stalled.Stop():
			return skipped(check, "the way is too slow to tell")
		case err != nil || !isFiller:
			return taken
		}
		stalled.Reset(stallLimit)
		stamp, _, _ := strings.Cut(text, " ")
		if ms, err := strconv.ParseInt(stamp, 10, 64); err == nil && time.UnixMilli(ms).After(after) {
			return ok(check, "Belfry feels it")
		}
	}
}

// silence holds a stream on which nothing comes.
func (d *doctor) silence(ctx context.Context) []finding {
	const check = "silence"
	watch, beat := d.idle, d.heartbeat
	if watch == 0 {
		watch = min(max(2*beat+time.Second, 3*time.Second), maxIdle)
	}
	v, err := d.open(ctx, d.transport(), "/sse/clock?every=120", answerLimit+watch, nil)
	if err != nil {
		return []finding{wrong(check, fixReach, "no answer: %s", describeTransport(err))}
	}
	defer v.close()
	if _, err := v.tick(); err != nil {
		return []finding{wrong(check, fixBuffering, "nothing came")}
	}
	began := time.Now()
	stop := time.AfterFunc(watch, v.cancel)
	defer stop.Stop()
	_, _ = v.line() // the end, whatever it is called
	lived := time.Since(began).Round(100 * time.Millisecond)
	switch {
	case ctx.Err() != nil:
		return nil
	case lived >= watch-100*time.Millisecond:
		return []finding{ok(check, "a stream lives through %s of it%s", watch, pinged(beat))}
	case beat > 0 && lived > beat+beat/16+500*time.Millisecond:
		return []finding{ok(check, "a stream is cut after %s of it, which is longer than it lasts%s", lived, pinged(beat))}
	}
	return []finding{wrong(check, fixIdle, "a stream is cut after %s of it%s; or set BELFRY_HEARTBEAT below that", lived, pinged(beat))}
}

func pinged(beat time.Duration) string {
	if beat == 0 {
		return ""
	}
	return fmt.Sprintf(" (a ping comes after %s)", beat)
}

// connections opens many streams at once.
func (d *doctor) connections(ctx context.Context) []finding {
	const check = "connections"
	transport := d.transport()
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	var opened atomic.Int64
	var tried, all sync.WaitGroup
	tried.Add(d.streams)
	for range d.streams {
		all.Go(func() {
			done := sync.OnceFunc(tried.Done)
			defer done()
			v, err := d.open(ctx, transport, "/sse/clock?every=120", answerLimit, nil)
			if err != nil {
				return
			}
			defer v.close()
			if v.isStream() != "" {
				return
			}
			if _, err := v.tick(); err != nil {
				return
			}
			opened.Add(1)
			done()
			<-ctx.Done() // held until all are open
		})
	}
	tried.Wait()
	cancel()
	all.Wait()
	transport.CloseIdleConnections()
	if n := opened.Load(); n < int64(d.streams) {
		return []finding{wrong(check, fixCap, "of %d streams at once only %d opened", d.streams, n)}
	}
	return []finding{ok(check, "%d streams at once", d.streams)}
}

// person opens a person's own stream as a client that comes back would.
func (d *doctor) person(ctx context.Context) []finding {
	const check = "own stream"
	if d.mint == nil {
		return []finding{skipped(check, "nobody is signed in: --user NAME, with BELFRY_KEY (tickets:write) or that person's password")}
	}
	ticket, err := d.mint(ctx)
	if err != nil {
		return []finding{wrong(check, fixRequestHeader.with("Authorization"), "no ticket: %s", describe(err))}
	}
	limit := answerLimit + 2*d.heartbeat
	back := http.Header{"Authorization": {"Bearer " + ticket.Token}, "Last-Event-Id": {"doctor-0"}}
	v, err := d.open(ctx, d.transport(), "/sse/stream", limit, back)
	if err != nil {
		return []finding{wrong(check, fixReach, "no answer: %s", describeTransport(err))}
	}
	defer v.close()
	if v.resp.StatusCode == http.StatusUnauthorized {
		byQuery, err := d.open(ctx, d.transport(), "/sse/stream?token="+url.QueryEscape(ticket.Token), limit, nil)
		if err != nil {
			return []finding{wrong(check, fixReach, "no answer: %s", describeTransport(err))}
		}
		defer byQuery.close()
		if byQuery.resp.StatusCode == http.StatusOK {
			return []finding{wrong(check, fixRequestHeader.with("Authorization"), "the ticket is refused in Authorization, and taken in the query")}
		}
	}
	if fault := v.isStream(); fault != "" {
		return []finding{wrong(check, fixReach, "it was refused (%d)", v.resp.StatusCode)}
	}
	return d.follow(v)
}

// follow wants hello, then reset, for a position was sent that is of no epoch, then a ping.
func (d *doctor) follow(v *visit) []finding {
	const check = "own stream"
	var hello, resumed bool
	for {
		name, _, err := v.event()
		switch {
		case err != nil && hello:
			return []finding{wrong(check, fixIdle, "no ping came after it was opened")}
		case err != nil:
			return []finding{wrong(check, fixBuffering, "no hello came")}
		}
		switch name {
		case "pause":
			return []finding{skipped(check, "it was sent away for a while: the node leaves, or this person has too many streams")}
		case "hello":
			hello = true
		case "reset":
			resumed = true
		case "ping":
			if !resumed {
				return []finding{wrong(check, fixRequestHeader.with("Last-Event-ID"), "it does not know where a client was that comes back")}
			}
			return []finding{ok(check, "hello, a position that was understood, and a ping after %s", time.Since(v.headed).Round(100*time.Millisecond))}
		}
	}
}
