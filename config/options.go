package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Option describes one setting. This table is the only list of them: parsing, the flags of the
// commands and the documentation are made from it.
type Option struct {
	Name    string // as in LISTEN: BELFRY_LISTEN in the environment, --listen on the command line
	Default string
	Secret  bool   // may come from a file
	Help    string // what it does
	Expects string // what a value must be

	// set parses a value that is not empty; false refuses it.
	set func(s *Settings, value string) bool
}

// Env is the name in the environment.
func (o *Option) Env() string { return prefix + o.Name }

// Flag is the name on the command line, without the dashes.
func (o *Option) Flag() string { return strings.ReplaceAll(strings.ToLower(o.Name), "_", "-") }

// Options lists the settings in the order in which people look for them.
func Options() []Option { return slices.Clone(options) }

// into makes the setter of a field from the parser of its type.
func into[T any](parse func(string) (T, bool), field func(*Settings) *T) func(*Settings, string) bool {
	return func(s *Settings, value string) bool {
		v, ok := parse(value)
		if ok {
			*field(s) = v
		}
		return ok
	}
}

const (
	expectsAddress  = "HOST:PORT, or :PORT for every address"
	expectsSecond   = "a duration of at least 1s, as in 90s, 15m or 12h"
	expectsPositive = "a duration above 0, as in 90s, 15m or 12h"
	expectsDuration = "a duration, as in 90s, 15m or 12h, or 0"
	expectsPath     = "the path of a file"
)

var options = []Option{
	{Name: "LISTEN", Default: "127.0.0.1:8080", Help: "address to serve on", Expects: expectsAddress,
		set: into(address, func(s *Settings) *string { return &s.Listen })},
	{Name: "TLS_CERT", Help: "certificate chain for TLS without a proxy, PEM", Expects: expectsPath,
		set: into(text, func(s *Settings) *string { return &s.TLSCert })},
	{Name: "TLS_KEY", Help: "private key of the certificate, PEM", Expects: expectsPath,
		set: into(text, func(s *Settings) *string { return &s.TLSKey })},
	{Name: "INTERNAL_LISTEN", Help: "second address for metrics and profiles; empty = off", Expects: expectsAddress,
		set: into(address, func(s *Settings) *string { return &s.InternalListen })},

	{Name: "DATABASE_URL", Default: "sqlite:./data/belfry.db", Secret: true, Help: "the database", Expects: "sqlite:PATH or postgres://…",
		set: into(database, func(s *Settings) *string { return &s.DatabaseURL })},
	{Name: "DATABASE_LISTEN_URL", Secret: true, Help: "direct connection to PostgreSQL where DATABASE_URL goes through a pooler", Expects: "postgres://…",
		set: into(postgres, func(s *Settings) *string { return &s.DatabaseListenURL })},
	{Name: "NATS_URL", Secret: true, Help: "nodes announce through NATS instead of the database", Expects: "nats://… or tls://…, several separated by commas",
		set: into(natsServers, func(s *Settings) *string { return &s.NATSURL })},
	{Name: "NATS_CREDS", Help: "credentials file for NATS", Expects: expectsPath,
		set: into(text, func(s *Settings) *string { return &s.NATSCreds })},
	{Name: "NATS_CA", Help: "authorities to trust in place of the system's when NATS speaks TLS, PEM", Expects: expectsPath,
		set: into(text, func(s *Settings) *string { return &s.NATSCA })},

	{Name: "PUBLIC_URL", Help: "where browsers find Belfry; http://localhost:PORT when empty", Expects: "http://HOST or https://HOST, with a port if need be and no path",
		set: into(site, func(s *Settings) **url.URL { return &s.PublicURL })},
	{Name: "CORS_ORIGINS", Help: "origins whose pages may call with credentials", Expects: "exact origins as browsers send them (https://app.example.org), separated by commas; no *",
		set: into(origins, func(s *Settings) *[]string { return &s.CORSOrigins })},
	{Name: "TRUSTED_PROXIES", Help: "networks whose X-Forwarded-* are believed", Expects: "networks as in 10.0.0.0/8, separated by commas",
		set: into(networks, func(s *Settings) *[]netip.Prefix { return &s.TrustedProxies })},

	{Name: "SECRET", Secret: true, Help: "signs tokens; made and kept in the database when empty", Expects: "at least 32 bytes",
		set: into(secret, func(s *Settings) *[]byte { return &s.Secret })},
	{Name: "ADMIN_USER", Help: "name of the first admin, made only while there are no users", Expects: "a name",
		set: into(text, func(s *Settings) *string { return &s.AdminUser })},
	{Name: "ADMIN_PASSWORD", Secret: true, Help: "password of the first admin", Expects: "a password",
		set: into(text, func(s *Settings) *string { return &s.AdminPassword })},

	{Name: "SESSION_IDLE", Default: "15m", Help: "a session locks after this long without activity", Expects: expectsSecond,
		set: into(atLeast(time.Second), func(s *Settings) *time.Duration { return &s.SessionIdle })},
	{Name: "SESSION_MAX", Default: "12h", Help: "a session ends after this long, whatever happens", Expects: expectsSecond,
		set: into(atLeast(time.Second), func(s *Settings) *time.Duration { return &s.SessionMax })},
	{Name: "SESSION_WARNING", Default: "60s", Help: "how long before that the user is warned; at most half of SESSION_IDLE", Expects: expectsSecond,
		set: into(atLeast(time.Second), func(s *Settings) *time.Duration { return &s.SessionWarning })},
	{Name: "HEARTBEAT", Default: "15s", Help: "a silent stream says ping after this long", Expects: "a duration of at least 100ms",
		set: into(atLeast(100*time.Millisecond), func(s *Settings) *time.Duration { return &s.Heartbeat })},
	{Name: "TICKET_TTL", Default: "60s", Help: "how long a stream ticket opens streams", Expects: expectsPositive,
		set: into(atLeast(1), func(s *Settings) *time.Duration { return &s.TicketTTL })},
	{Name: "STREAM_MAX_AGE", Default: "0", Help: "a stream is asked to reconnect after this long; 0 = never", Expects: expectsDuration,
		set: into(atLeast(0), func(s *Settings) *time.Duration { return &s.StreamMaxAge })},
	{Name: "STREAMS_PER_USER", Default: "32", Help: "streams a user may have open", Expects: "a number from 1",
		set: into(positive, func(s *Settings) *int { return &s.StreamsPerUser })},
	{Name: "RETENTION", Default: "720h", Help: "how long notices and the log are kept", Expects: expectsPositive,
		set: into(atLeast(1), func(s *Settings) *time.Duration { return &s.Retention })},
	{Name: "DRAIN", Default: "10s", Help: "time over which streams are sent away at shutdown", Expects: expectsDuration,
		set: into(atLeast(0), func(s *Settings) *time.Duration { return &s.Drain })},
	{Name: "LOGIN_RATE", Default: "10/m", Help: "failed logins allowed per account and address", Expects: "NUMBER/s, NUMBER/m or NUMBER/h, as in 10/m",
		set: into(rate, func(s *Settings) *Rate { return &s.LoginRate })},

	{Name: "LOG_LEVEL", Default: "info", Help: "least level that is logged", Expects: "debug, info, warn or error",
		set: into(level, func(s *Settings) *slog.Level { return &s.LogLevel })},
	{Name: "LOG_FORMAT", Help: "text or json; when empty, text on a terminal, else json", Expects: "text or json",
		set: into(oneOf("text", "json"), func(s *Settings) *string { return &s.LogFormat })},

	{Name: "URL", Help: "address of a running Belfry that the commands call", Expects: "http://… or https://…",
		set: into(endpoint, func(s *Settings) *string { return &s.URL })},
	{Name: "KEY", Secret: true, Help: "API key that the commands call it with", Expects: "an API key",
		set: into(token, func(s *Settings) *string { return &s.Key })},
}
