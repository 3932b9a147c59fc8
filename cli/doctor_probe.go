package cli

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"belfry/client"
)

const (
	answerLimit = 10 * time.Second // for the head of an answer, and for a first event
	maxIdle     = 119 * time.Second
)

// doctor looks at streams through whatever stands before base.
type doctor struct {
	base    string // without a slash at the end
	host    string
	secure  bool
	tls     *tls.Config // nil = as the system trusts
	idle    time.Duration
	streams int
	mint    func(context.Context) (*client.Ticket, error) // nil = nobody is signed in

	heartbeat time.Duration // as the clock told; 0 = it did not
}

// transport is one of its own for each look, so that none is measured over another's connection. As browsers do, it waits
// where an HTTP/2 connection has as many streams as it may.
func (d *doctor) transport() *http.Transport {
	return &http.Transport{
		TLSClientConfig: d.tls.Clone(), ForceAttemptHTTP2: true, DisableCompression: true,
		Proxy: http.ProxyFromEnvironment,
		HTTP2: &http.HTTP2Config{StrictMaxConcurrentRequests: true},
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// visit is one open stream.
type visit struct {
	resp   *http.Response
	lines  *bufio.Reader
	began  time.Time // when it was asked for
	headed time.Time // when the head of the answer was there
	cancel context.CancelFunc
	idle   func()
}

func (v *visit) close() {
	v.cancel()
	_ = v.resp.Body.Close()
	v.idle()
}

// open asks for a path. The deadline ends the whole visit.
func (d *doctor) open(ctx context.Context, transport *http.Transport, path string, limit time.Duration, header http.Header) (*visit, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+path, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Accept", "text/event-stream")
	began := time.Now()
	resp, err := (&http.Client{Transport: transport, CheckRedirect: noRedirect}).Do(req) //nolint:bodyclose // visit.close does
	if err != nil {
		cancel()
		transport.CloseIdleConnections()
		return nil, err
	}
	return &visit{resp, bufio.NewReader(resp.Body), began, time.Now(), cancel, transport.CloseIdleConnections}, nil
}

// line reads on to the next line that says something, less its end.
func (v *visit) line() (string, error) {
	for {
		text, err := v.lines.ReadString('\n')
		if err != nil {
			return "", err
		}
		if text = strings.TrimRight(text, "\r\n"); text != "" {
			return text, nil
		}
	}
}

// event reads on to the next line of data, and gives the name that stood before it.
func (v *visit) event() (name, data string, err error) {
	for {
		text, err := v.line()
		if err != nil {
			return "", "", err
		}
		if value, found := strings.CutPrefix(text, "event: "); found {
			name = value
		}
		if data, found := strings.CutPrefix(text, "data: "); found {
			return name, data, nil
		}
	}
}

// tick is one event of the clock.
type tick struct {
	said time.Time // by the server's clock
	came time.Time // by ours
}

func (v *visit) tick() (tick, error) {
	_, data, err := v.event()
	if err != nil {
		return tick{}, err
	}
	var t struct{ Now time.Time }
	if err := json.Unmarshal([]byte(data), &t); err != nil || t.Now.IsZero() {
		return tick{}, errors.New("what comes are no ticks")
	}
	return tick{t.Now, time.Now()}, nil
}

// isStream says what is wrong with an answer that ought to be the clock's, or "".
func (v *visit) isStream() string {
	media, _, _ := strings.Cut(v.resp.Header.Get("Content-Type"), ";")
	switch {
	case v.resp.StatusCode >= 300 && v.resp.StatusCode < 400:
		return fmt.Sprintf("it redirects (%d): give the URL that people use", v.resp.StatusCode)
	case v.resp.StatusCode != http.StatusOK:
		return fmt.Sprintf("/sse/clock answers %d", v.resp.StatusCode)
	case media != "text/event-stream":
		return "/sse/clock is no event stream: something else answers in place of Belfry"
	}
	return ""
}

// describeTransport says why there is no answer, without the URL, in which a ticket may stand.
func describeTransport(err error) string {
	if failed, isURL := errors.AsType[*url.Error](err); isURL {
		err = failed.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "none in time"
	}
	return oneLine(err.Error())
}
