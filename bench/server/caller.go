package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const callTimeout = 20 * time.Second

// Caller calls the API of a node as one principal. It is safe for several goroutines.
type Caller struct {
	Base   string
	Cookie string // as in "belfry=…"; a user's session
	Key    string // an API key's secret
	client *http.Client
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// ByKey calls the node with an API key, over as many connections as are needed at once.
func (n *Node) ByKey(secret string) *Caller { return (&Caller{Key: secret}).At(n) }

// Login signs a person in.
func (n *Node) Login(t testing.TB, name string) *Caller {
	t.Helper()
	c := &Caller{Base: n.Base, client: newClient()}
	answer, err := c.Call(t.Context(), http.MethodPost, "/api/v1/login", map[string]string{"username": name, "password": Password})
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("login: %+v, %v", answer, err)
	}
	c.Cookie, _, _ = strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	return c
}

// At is the same principal on another node of the same database.
func (c *Caller) At(n *Node) *Caller { return c.Via(n.Base, newClient()) }

// Via is the same principal through something that stands before the nodes.
func (c *Caller) Via(base string, client *http.Client) *Caller {
	return &Caller{Base: base, Cookie: c.Cookie, Key: c.Key, client: client}
}

func newClient() *http.Client {
	const most = 512
	return &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConns: most, MaxIdleConnsPerHost: most, DisableCompression: true}}
}

// Call sends a request with a JSON body, or none when in is nil. header is name, value, name, value…
// An error means that no whole answer came: what was asked for may have been done.
func (c *Caller) Call(ctx context.Context, method, path string, in any, header ...string) (Answer, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return Answer{}, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return Answer{}, err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.Cookie != "" {
		request.Header.Set("Cookie", c.Cookie)
	}
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := c.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: text}, nil
}

// Must calls and wants the status; it decodes the answer into out, which may be nil.
func (c *Caller) Must(t testing.TB, status int, method, path string, in, out any, header ...string) Answer {
	t.Helper()
	answer, err := c.Call(t.Context(), method, path, in, header...)
	if err != nil || answer.Status != status {
		t.Fatalf("%s %s: %d %s, %v; want %d", method, path, answer.Status, answer.Body, err, status)
	}
	if out != nil {
		if err := json.Unmarshal(answer.Body, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return answer
}

// Ticket mints a stream ticket for the session.
func (c *Caller) Ticket(t testing.TB) string {
	t.Helper()
	var ticket struct{ Token string }
	c.Must(t, http.StatusCreated, http.MethodPost, "/api/v1/stream-tickets", nil, &ticket)
	return ticket.Token
}

// Published says where a notice went.
type Published struct {
	ID     int64  `json:"id"`
	Cursor string `json:"cursor"`
}

// Publish publishes a notice and wants it taken.
func (c *Caller) Publish(t testing.TB, notice any) Published {
	t.Helper()
	var published Published
	c.Must(t, http.StatusCreated, http.MethodPost, "/api/v1/notices", notice, &published)
	return published
}
