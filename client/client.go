// Package client calls Belfry's API with an API key, and follows streams. It depends on nothing of the server and on
// the standard library alone, so that any Go program can use it. Calls that may be repeated without harm are, while the
// server is away; [Temporary] says of an error whether that could have helped.
//
//	c, err := client.New("https://bell.example.org", os.Getenv("BELFRY_KEY"))
//	published, err := c.Publish(ctx, client.Notice{
//		To:    client.To{Users: []string{"anna"}},
//		Title: "Build 12 is done",
//	})
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// callTimeout ends one attempt, answer included.
	callTimeout = 30 * time.Second
	// maxAnswer bounds what is read of an answer, so that a wrong address cannot fill the memory.
	maxAnswer = 16 << 20
)

// errBroken says that the connection ended inside an answer: what was asked for may have been done.
var errBroken = errors.New("client: the answer broke off")

// Client is safe for use by several goroutines.
type Client struct {
	base     string // without a slash at the end
	key      string
	http     *http.Client
	attempts int
	backoff  time.Duration // the first wait is at most this; each later one at most twice the one before

	answered func(*http.Response) // sees each answer; nil = nobody does
}

// Option changes how a [Client] works.
type Option func(*Client)

// WithHTTPClient replaces the HTTP client, say to trust another certificate authority. The default
// gives up on a call after 30 s.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithAttempts limits how often a call is tried that may be repeated, as [Client.Publish]; the default is 6, about 10 s in all.
func WithAttempts(n int) Option { return func(c *Client) { c.attempts = max(n, 1) } }

// New makes a client for the Belfry at baseURL, as in https://bell.example.org. key is an API key; each
// call needs a scope of it.
func New(baseURL, key string, options ...Option) (*Client, error) {
	c, err := newClient(baseURL, options)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return nil, errors.New("client: an API key is needed")
	}
	c.key = key
	return c, nil
}

// newClient makes one without a key.
func newClient(baseURL string, options []Option) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("client: the base URL has to be http://HOST or https://HOST")
	}
	c := &Client{
		base:     strings.TrimRight(baseURL, "/"),
		http:     &http.Client{Timeout: callTimeout, CheckRedirect: refuseRedirect},
		attempts: 6, backoff: 500 * time.Millisecond,
	}
	for _, option := range options {
		option(c)
	}
	return c, nil
}

// refuseRedirect makes a redirect an error: following one would turn a POST into a GET, and would hand the
// key to another address.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// apiPath joins the parts of a path below /api/v1, each escaped. A dot or two would climb out of the
// path, and nothing can have such a name.
func apiPath(parts ...string) (string, error) {
	path := "/api/v1"
	for _, part := range parts {
		if strings.Trim(part, ".") == "" {
			return "", &Problem{Status: http.StatusNotFound, Code: "not_found", Detail: "There is nothing by this name."}
		}
		path += "/" + url.PathEscape(part)
	}
	return path, nil
}

// call sends one request and decodes a good answer into out, which may be nil. Any other answer is a
// *Problem.
func (c *Client) call(ctx context.Context, method, path string, header http.Header, in, out any) error {
	if in == nil {
		return c.exchange(ctx, method, path, header, "", nil, out)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return c.exchange(ctx, method, path, header, "application/json", text, out)
}

// exchange is [Client.call] with a body as it is; without a media type there is none.
func (c *Client) exchange(ctx context.Context, method, path string, header http.Header, media string, text []byte, out any) error {
	var body io.Reader
	if media != "" {
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	maps.Copy(req.Header, header)
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if c.answered != nil {
		c.answered(resp)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return problemOf(resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("client: %s %s: the answer is not Belfry's: %w", method, path, err)
	}
	return nil
}

// ask makes a call at the path of these parts and gives its answer.
func ask[T any](ctx context.Context, c *Client, method string, in any, parts ...string) (*T, error) {
	path, err := apiPath(parts...)
	if err != nil {
		return nil, err
	}
	var out T
	if err := c.call(ctx, method, path, nil, in, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// change makes a call that needs neither a body nor its answer.
func (c *Client) change(ctx context.Context, method string, parts ...string) error {
	path, err := apiPath(parts...)
	if err != nil {
		return err
	}
	return c.call(ctx, method, path, nil, nil, nil)
}

// page is one answer to a request for a list.
type page[T any] struct {
	Items      []T             `json:"items"`
	NextBefore json.RawMessage `json:"next_before"` // null at the end; else where the next page begins
}

// list collects all pages.
func list[T any](ctx context.Context, c *Client, noun string) ([]T, error) {
	path, err := apiPath(noun)
	if err != nil {
		return nil, err
	}
	items, query, seen := []T{}, "", ""
	for {
		var p page[T]
		if err := c.call(ctx, http.MethodGet, path+query, nil, nil, &p); err != nil {
			return nil, err
		}
		items = append(items, p.Items...)
		next := strings.Trim(string(p.NextBefore), `"`)
		if next == "" || next == "null" {
			return items, nil
		}
		if next == seen {
			return nil, errors.New("client: the pages of " + noun + " do not end")
		}
		query, seen = "?before="+url.QueryEscape(next), next
	}
}
