// Package testoidc is an OpenID provider for tests: a real one (zitadel/oidc) that keeps what it knows in memory. It asks
// for a password in a plain form, remembers a browser, honours prompt=login and max_age, tells when somebody gave the
// password, and tells its client by the back channel that somebody left. A test may also make it misbehave.
package testoidc

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Client is who lets people sign in here.
type Client struct {
	ID          string
	Secret      string // empty: a public client, which PKCE alone protects
	RedirectURI string // letter for letter
	LogoutURI   string // where the back channel ends; empty = nobody is told
	ThinTokens  bool   // names and addresses are told by the userinfo endpoint alone, and not by the ID token
}

// User is a person who has an account here.
type User struct {
	Subject       string // never changes
	Username      string // preferred_username; what is typed into the form
	Name          string
	Password      string
	Email         string
	EmailVerified bool
}

// Provider is the server. Its methods may be called from any goroutine.
type Provider struct {
	issuer string
	client Client
	log    *slog.Logger
	router http.Handler

	mu       sync.Mutex
	users    map[string]*User    // by subject
	requests map[string]*request // by id
	codes    map[string]string   // a code's request
	tokens   map[string]string   // an access token's subject
	sessions map[string]*session // of browsers, by cookie
	keys     []*key              // the first one signs
	tamper   func(*SignIn)
	reissue  func(claims map[string]any) string
	down     bool
	proxied  bool // by one that cannot reach it
}

// session is one browser that somebody signed in with.
type session struct {
	id       string // sid
	subject  string
	authTime int64 // s since 1970 UTC
}

// New makes a provider that is reached at the issuer, http://127.0.0.1:PORT. It is an [http.Handler].
func New(issuer string, client Client, log *slog.Logger) (*Provider, error) {
	p := &Provider{issuer: issuer, client: client, log: log, users: map[string]*User{}, requests: map[string]*request{},
		codes: map[string]string{}, tokens: map[string]string{}, sessions: map[string]*session{}}
	if err := p.Rotate(); err != nil {
		return nil, err
	}
	config := &op.Config{CryptoKey: sha256.Sum256([]byte(rand.Text())), CodeMethodS256: true, AuthMethodPost: true,
		BackChannelLogoutSupported: true, BackChannelLogoutSessionSupported: true}
	// http, for it is on loopback.
	provider, err := op.NewProvider(config, &storage{p}, op.StaticIssuer(issuer), op.WithAllowInsecure(), op.WithLogger(log))
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.Handle("/", provider)
	routes.Handle("POST /oauth/token", p.reissued(provider))
	routes.HandleFunc("GET /login", p.login)
	routes.HandleFunc("POST /login", p.proveLogin)
	routes.HandleFunc("GET /people", p.people)
	routes.HandleFunc("POST /people", p.signOut)
	p.router = routes
	return p, nil
}

// Start runs a provider on a free port of loopback until the test ends.
func Start(t testing.TB, client Client) *Provider {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	p, err := New("http://"+server.Listener.Addr().String(), client, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = p
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return p
}

// ServeHTTP makes a Provider an [http.Handler].
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	down, proxied := p.down, p.proxied
	p.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler) // closes the connection, as a machine that went away would
	}
	if proxied {
		http.Error(w, "<h1>502 Bad Gateway</h1>", http.StatusBadGateway)
		return
	}
	p.router.ServeHTTP(w, r)
}

// Issuer is the provider's address.
func (p *Provider) Issuer() string { return p.issuer }

// Down makes every connection end without an answer, until it is called with false.
func (p *Provider) Down(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// DownBehindProxy is Down where a proxy goes on answering, as most providers have one before them.
func (p *Provider) DownBehindProxy(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proxied = down
}

// Tamper changes what the provider will say of each sign-in from now on; nil ends that.
func (p *Provider) Tamper(change func(*SignIn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tamper = change
}

// Reissue has each ID token be what the function makes of the right one's claims; nil ends that.
func (p *Provider) Reissue(token func(claims map[string]any) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reissue = token
}

// ListenTo has the back channel end there.
func (p *Provider) ListenTo(logoutURI string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.client.LogoutURI = logoutURI
}

// Put adds a person, or changes the one with this subject.
func (p *Provider) Put(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[u.Subject] = &u
}

// named finds a person by what they type into the form.
func (p *Provider) named(username string) (*User, bool) {
	for _, u := range p.users {
		if u.Username == username {
			return u, true
		}
	}
	return nil, false
}
