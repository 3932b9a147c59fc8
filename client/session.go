package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"
)

// Ticket opens streams for a short while. It is a secret.
type Ticket struct {
	Token       string `json:"token"`
	ExpiresInMS int64  `json:"expires_in_ms"`
}

// UserTicket mints a ticket for a person's stream, for a host application's server to hand to that person's page.
// It needs the scope tickets:write, and tries again where that may help.
func (c *Client) UserTicket(ctx context.Context, username string) (*Ticket, error) {
	path, err := apiPath("users", username, "stream-tickets")
	if err != nil {
		return nil, err
	}
	var ticket Ticket
	if err := c.persist(ctx, func() error { return c.call(ctx, http.MethodPost, path, nil, nil, &ticket) }); err != nil {
		return nil, err
	}
	return &ticket, nil
}

// Tail follows a person's stream by tickets of the key, which needs the scope tickets:write. It comes back by itself
// where it was cut, from where it was, and gives each event once and in order. Where it cannot go on, the last pair
// has the error.
func (c *Client) Tail(ctx context.Context, username string, o TailOptions) iter.Seq2[Event, error] {
	mint := func(ctx context.Context) (*Ticket, error) { return c.UserTicket(ctx, username) }
	return newTail(c.http, c.base, o, mint).events(ctx)
}

// Credentials are what a person signs in with.
type Credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Code     string `json:"code,omitempty"` // of an authenticator app, where one is needed
}

// Session is a person who is signed in. It locks and ends as one in a browser does; what is read does not keep it awake.
type Session struct {
	client *Client // whose key is not there
	cookie string
}

// SignIn begins a session of a person at baseURL. [Session.Logout] ends it.
func SignIn(ctx context.Context, baseURL string, who Credentials, options ...Option) (*Session, error) {
	c, err := newClient(baseURL, options)
	if err != nil {
		return nil, err
	}
	s := &Session{client: c}
	c.answered = s.keepCookie
	if err := c.call(ctx, http.MethodPost, "/api/v1/login", nil, who, nil); err != nil {
		return nil, err
	}
	if s.cookie == "" {
		return nil, errors.New("client: the sign-in brought no cookie: this is not Belfry, or a proxy took it away")
	}
	return s, nil
}

// keepCookie takes the session's cookie from an answer. A jar would not send one that is bound to https over http, as it
// must not; here the answer came by the very address that the cookie goes back to.
func (s *Session) keepCookie(resp *http.Response) {
	for _, cookie := range resp.Cookies() {
		if cookie.Name == "belfry" || cookie.Name == "__Host-belfry" {
			s.cookie = cookie.Name + "=" + cookie.Value
		}
	}
}

func (s *Session) call(ctx context.Context, method, path string, in, out any) error {
	return s.client.call(ctx, method, path, http.Header{"Cookie": {s.cookie}}, in, out)
}

// Ticket mints a ticket for the session's own streams.
func (s *Session) Ticket(ctx context.Context) (*Ticket, error) {
	var ticket Ticket
	if err := s.call(ctx, http.MethodPost, "/api/v1/stream-tickets", nil, &ticket); err != nil {
		return nil, err
	}
	return &ticket, nil
}

// Unlock opens a locked session again.
func (s *Session) Unlock(ctx context.Context, password string) error {
	in := struct {
		Password string `json:"password"`
	}{password}
	return s.call(ctx, http.MethodPost, "/api/v1/session/unlock", in, nil)
}

// Tail follows the session's stream, as [Client.Tail] does. While the session is locked nothing comes but lock events;
// when it has ended, the last pair has [ErrSessionEnded].
func (s *Session) Tail(ctx context.Context, o TailOptions) iter.Seq2[Event, error] {
	return newTail(s.client.http, s.client.base, o, s.Ticket).events(ctx)
}

// Logout ends the session. It takes a few seconds at most, and works where ctx has been canceled, for that is when one
// leaves.
func (s *Session) Logout(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return s.call(ctx, http.MethodPost, "/api/v1/logout", nil, nil)
}
