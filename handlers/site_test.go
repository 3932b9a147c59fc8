package handlers_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/gin-gonic/gin"

	"belfry/handlers"
	"belfry/internal/testoidc"
	"belfry/internal/testpg"
	"belfry/middleware"
	"belfry/models"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/hub"
	"belfry/services/journal"
	"belfry/services/tracing"
)

// password is everybody's.
const password = "correct horse battery staple"

// cheapHash is that of password, with parameters that cost next to nothing: a hash names its own, so
// the real code verifies it.
var cheapHash = sync.OnceValue(func() string {
	hash, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		panic(err)
	}
	return hash
})

// homepage is where browsers would find the site.
var homepage = &url.URL{Scheme: "https", Host: "belfry.example"}

// settings are those of one server; long enough that nothing expires by itself.
type settings struct {
	limits    models.SessionLimits
	streams   services.StreamSettings
	ticketTTL time.Duration
	rate      models.Rate
	secure    bool
	proxies   []netip.Prefix
	origins   middleware.Origins
	public    *url.URL // where passkeys belong
	cost      services.HashCost
	peers     bool // senders of Gotify and ntfy may publish
	http2     bool // over TLS, as browsers speak to a server that nothing stands before

	federation *services.FederationSettings // nil = off; without an issuer, one is started
	thinTokens bool                         // of that issuer
}

func defaults() settings {
	return settings{
		limits:    models.SessionLimits{Idle: 15 * time.Minute, Max: 12 * time.Hour, Warning: time.Minute},
		streams:   services.StreamSettings{Heartbeat: 15 * time.Second, PerUser: 32, Drain: time.Second},
		ticketTTL: time.Minute,
		rate:      models.Rate{Count: 1000, Per: time.Minute},
		origins:   middleware.Origins{"https://app.example", "http://localhost:5173"},
		public:    homepage,
		cost:      services.HashCost{Memory: 8, Passes: 1, Lanes: 1}, // that of cheapHash
	}
}

// site is the whole server on a database of its own.
type site struct {
	testing.TB
	settings settings
	db       *services.Database
	journal  *journal.Journal
	throttle *services.Throttle
	hasher   *services.Hasher
	server   *handlers.Server
	engine   *gin.Engine
	internal http.Handler
	url      string
	http     *http.Client
	streams  *http.Client
	log      *logBuffer
	level    *tracing.Level
	provider *testoidc.Provider
}

// logBuffer keeps what the server logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// onEach runs a test on both databases. change, where it is not nil, alters the settings.
func onEach(t *testing.T, change func(*settings), test func(*site)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(newSite(t, sqliteAddress(t), change))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(newSite(t, testpg.Database(t), change))
	})
}

// onEachWay is onEach for streams, and once more over HTTP/2, where a stream has no connection of its own.
func onEachWay(t *testing.T, change func(*settings), test func(*site)) {
	t.Helper()
	onEach(t, change, test)
	t.Run("http2", func(t *testing.T) {
		t.Parallel()
		test(newSite(t, sqliteAddress(t), func(s *settings) {
			if change != nil {
				change(s)
			}
			s.http2 = true
		}))
	})
}

func sqliteAddress(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "belfry.db")
	if err := os.WriteFile(file, emptySQLite, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + file
}

// newSite wires a server as the command does, and stops it in the same order.
func newSite(t testing.TB, address string, change func(*settings)) *site {
	t.Helper()
	s := &site{TB: t, settings: defaults(), log: &logBuffer{}, level: tracing.NewLevel(slog.LevelDebug)}
	if change != nil {
		change(&s.settings)
	}
	log := slog.New(tracing.LogHandler(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: s.level})))
	var err error
	if s.db, err = services.OpenDatabase(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close() })
	background, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	local := announce.NewLocal()
	var announcer interface {
		journal.Announcer
		services.Teller
	} = local
	hints, growths := local.Hints(), local.Growths()
	var bus func() bool
	if s.db.Dialect == services.Postgres {
		remote := announce.NewPostgres(address, log)
		announcer, hints, growths, bus = remote, remote.Hints(), remote.Growths(), remote.Healthy
		running.Go(func() { remote.Run(background) })
	}
	if s.journal, err = journal.Open(t.Context(), s.db.Read, s.db.Write, announcer, log); err != nil {
		t.Fatal(err)
	}
	s.wire(log)
	s.server.Tasks = services.NewTasks(s.db, s.journal, s.server.Notices, announcer)
	s.server.Metrics = &services.Metrics{DB: s.db, Journal: s.journal, Streams: s.server.Streams, Sessions: s.server.Sessions, Throttle: s.throttle, Hasher: s.hasher,
		Keys: s.server.Keys, Tasks: s.server.Tasks, Push: s.server.Push, Webhooks: s.server.Webhooks, Bus: bus}
	s.server.Nodes = services.NewNodes(s.db, s.journal, s.server.Streams, "here:8080", "test", s.level, log)
	running.Go(func() { s.server.Nodes.Run(background) })
	running.Go(func() { s.server.Streams.Follow(background, hints) })
	running.Go(func() { s.server.Tasks.Follow(background, growths) })
	s.serve()
	t.Cleanup(func() {
		s.server.Streams.CloseAll()
		s.journal.Close()
		cancel()
		running.Wait()
	})
	return s
}

func (s *site) wire(log *slog.Logger) {
	set := &s.settings
	s.hasher = services.NewHasher(set.cost)
	ring, err := services.NewKeyring(s.Context(), s.db, bytes.Repeat([]byte("k"), services.MinSecret))
	if err != nil {
		s.Fatal(err)
	}
	tokens := services.NewTokens(ring, set.limits.Max, set.ticketTTL)
	throttle := services.NewThrottle(set.rate, time.Now)
	s.throttle = throttle
	factors := services.NewFactors(s.db, services.NewVault(ring), throttle, set.public.Hostname())
	sessions := services.NewSessions(s.db, s.journal, s.hasher, tokens, throttle, factors, set.limits, log)
	notices := services.NewNotices(s.db, s.journal)
	s.server = &handlers.Server{
		Connections: middleware.NewConnections(1<<20, set.proxies),
		Audit:       services.NewAudit(s.db), Webhooks: services.NewWebhooks(s.db, s.journal, services.NewVault(ring), log),
		Factors: factors, PublicURL: set.public,
		Users: services.NewUsers(s.db, s.journal, s.hasher), Groups: services.NewGroups(s.db, s.journal), Keys: services.NewKeys(s.db, s.journal, services.NewVault(ring)),
		Sessions: sessions, Passkeys: services.NewPasskeys(s.db, sessions, set.public, log), Notices: notices, Recipients: services.NewRecipients(s.db), Tokens: tokens,
		Preferences: services.NewPreferences(s.db, s.journal),
		Streams:     services.NewStreams(s.db, s.journal, hub.New(s.journal.Cursor(), hub.RecentEntries), sessions, notices, set.streams, log),
		Health:      &handlers.Health{Ping: s.db.Ping}, Log: log, Secure: set.secure, Origins: set.origins, TrustedProxies: set.proxies, Version: "test", Gotify: set.peers, Ntfy: set.peers,
	}
	s.server.Push, err = services.NewPush(s.Context(), s.db, s.journal, sessions, notices, s.server.Preferences, services.NewVault(ring),
		services.PushSettings{Hosts: []string{"push.example.org"}, Contact: "mailto:ops@example.org"}, log)
	if err != nil {
		s.Fatal(err)
	}
	if set.federation != nil {
		s.server.Federation = services.NewFederation(s.db, sessions, throttle, s.federation(), log)
	}
}

// federation gives the settings of single sign-on, at a provider of this site's own where they name none.
func (s *site) federation() services.FederationSettings {
	s.Helper()
	f := *s.settings.federation
	f.ClientID, f.RedirectURL = "belfry", "http://localhost:8080/signed-in"
	if f.UsernameClaim == "" {
		f.UsernameClaim = "preferred_username"
	}
	if f.Issuer == "" {
		s.provider = testoidc.Start(s, testoidc.Client{ID: f.ClientID, Secret: f.ClientSecret, RedirectURI: f.RedirectURL, ThinTokens: s.settings.thinTokens})
		f.Issuer = s.provider.Issuer()
	}
	return f
}

func (s *site) serve() {
	s.Helper()
	router, err := s.server.Router()
	if err != nil {
		s.Fatal(err)
	}
	s.engine, s.internal = router.(*gin.Engine), s.server.Internal()
	listener, transport := httptest.NewUnstartedServer(router), &http.Transport{MaxIdleConnsPerHost: 16}
	if listener.EnableHTTP2 = s.settings.http2; listener.EnableHTTP2 {
		listener.StartTLS()
		transport = listener.Client().Transport.(*http.Transport)
	} else {
		listener.Start()
	}
	s.url = listener.URL
	s.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// A connection ends with its stream: a POST that came to have it next would be lost.
	streams := *s.http
	if !s.settings.http2 {
		streams.Transport = transport.Clone()
	}
	s.streams = &streams
	s.Cleanup(func() {
		s.server.Streams.CloseAll()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.server.Streams.AwaitClosed(ctx)
		transport.CloseIdleConnections()
		streams.CloseIdleConnections()
		listener.CloseClientConnections()
		listener.Close()
	})
}

// exec changes rows behind the server's back, to make time pass without waiting for it. No entry tells of
// it, so what is kept in memory is dropped.
func (s *site) exec(statement string, args ...any) {
	s.Helper()
	if err := s.db.Write.WithContext(s.Context()).Exec(statement, args...).Error; err != nil {
		s.Fatal(err)
	}
	s.journal.Forget()
}

// number reads one integer.
func (s *site) number(query string, args ...any) (n int64) {
	s.Helper()
	if err := s.db.Write.WithContext(s.Context()).Raw(query, args...).Scan(&n).Error; err != nil {
		s.Fatal(err)
	}
	return n
}

// addUser makes a person whose password is [password].
func (s *site) addUser(name string, role models.Role) {
	s.Helper()
	s.exec(`INSERT INTO users (username, display_name, role, password_hash, created_at, joined_offset) SELECT ?, ?, ?, ?, 0, head FROM log_head`,
		name, "The "+name, role, cheapHash())
}

// addKey makes a key with these scopes and gives its secret.
func (s *site) addKey(scopes ...models.Scope) string {
	s.Helper()
	_, secret, err := s.server.Keys.Create(s.Context(), services.KeySpec{Name: "key " + strconv.FormatInt(time.Now().UnixNano(), 36), Scopes: scopes})
	if err != nil {
		s.Fatal(err)
	}
	return secret
}

// age makes a session's last activity, or its beginning, that much older.
func (s *site) age(column, session string, by time.Duration) {
	s.Helper()
	s.exec("UPDATE sessions SET "+column+" = "+column+" - ? WHERE id = ?", by.Milliseconds(), session)
}
