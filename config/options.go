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
	Empty   string   // what holds while nothing is given, where there is no Default
	Secret  bool     // may come from a file
	Help    string   // what it does, on one line of the help
	Details string   // what docs/configure.md says besides, in Markdown
	With    []string // settings that it is nothing without, or that have to fit it
	Expects string   // what a value must be

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
	expectsSecond   = "a duration from 1s to 200 years, as in 90s, 15m or 12h"
	expectsPositive = "a duration above 0, up to 200 years, as in 90s, 15m or 12h"
	expectsDuration = "a duration up to 200 years, as in 90s, 15m or 12h, or 0"
	expectsArgon2   = "m=KIB,t=PASSES,p=LANES, at least m=7168,t=1,p=1, as in m=19456,t=2,p=1"
	expectsPath     = "the path of a file"
)

var options = []Option{
	{Name: "LISTEN", Default: "127.0.0.1:8080", Help: "address to serve on", Details: "In the container it is `:8080`.", Expects: expectsAddress,
		set: into(address, func(s *Settings) *string { return &s.Listen })},
	{Name: "TLS_CERT", Empty: "no TLS", Help: "certificate chain for TLS without a proxy, PEM", Expects: expectsPath,
		Details: "With it a node speaks TLS and HTTP/2 itself, and takes up a renewed one without a restart. Behind a proxy leave it to the proxy.",
		With:    []string{"TLS_KEY"},
		set:     into(text, func(s *Settings) *string { return &s.TLSCert })},
	{Name: "TLS_KEY", Empty: "no TLS", Help: "private key of the certificate, PEM", Expects: expectsPath,
		With: []string{"TLS_CERT"},
		set:  into(text, func(s *Settings) *string { return &s.TLSKey })},
	{Name: "INTERNAL_LISTEN", Empty: "off", Help: "second address, not for the public, for metrics and profiles", Expects: expectsAddress,
		Details: "`/metrics` and `/debug/pprof`; health is on both.",
		set:     into(address, func(s *Settings) *string { return &s.InternalListen })},

	{Name: "DATABASE_URL", Default: "sqlite:./data/belfry.db", Secret: true, Help: "where everything is kept, in a file of SQLite or in PostgreSQL", Expects: "sqlite:PATH or postgres://…",
		Details: "SQLite is for trying Belfry and for one small node: one process has the file. Any number of nodes may share a PostgreSQL.",
		set:     into(database, func(s *Settings) *string { return &s.DatabaseURL })},
	{Name: "DATABASE_LISTEN_URL", Empty: "as DATABASE_URL", Secret: true, Help: "direct connection to PostgreSQL where DATABASE_URL goes through a pooler", Expects: "postgres://…",
		With: []string{"DATABASE_URL"},
		set:  into(postgres, func(s *Settings) *string { return &s.DatabaseListenURL })},
	{Name: "NATS_URL", Empty: "through the database", Secret: true, Help: "nodes announce through NATS instead of the database", Expects: "nats://… or tls://…, several separated by commas",
		Details: "See [operate](operate.md#several-nodes).",
		set:     into(natsServers, func(s *Settings) *string { return &s.NATSURL })},
	{Name: "NATS_CREDS", Empty: "none", Help: "credentials file for NATS", Expects: expectsPath,
		With: []string{"NATS_URL"},
		set:  into(text, func(s *Settings) *string { return &s.NATSCreds })},
	{Name: "NATS_CA", Empty: "the system's authorities", Help: "authorities to trust in place of the system's when NATS speaks TLS, PEM", Expects: expectsPath,
		With: []string{"NATS_URL"},
		set:  into(text, func(s *Settings) *string { return &s.NATSCA })},

	{Name: "PUBLIC_URL", Empty: "http://localhost:PORT", Help: "where browsers find Belfry", Expects: "http://HOST or https://HOST, with a port if need be and no path",
		Details: "`https` makes the cookie `__Host-belfry` and `Secure`. Passkeys belong to its host: under another name those that there are do not work, and for a bare address there are none.",
		set:     into(site, func(s *Settings) **url.URL { return &s.PublicURL })},
	{Name: "CORS_ORIGINS", Empty: "none", Help: "origins whose pages may call with the cookie", Expects: "exact origins as browsers send them (https://app.example.org), separated by commas; no *",
		Details: "They have to be of the same site as `PUBLIC_URL`, or no browser sends the cookie: see [embedding](embedding.md#where-the-page-lies).",
		set:     into(origins, func(s *Settings) *[]string { return &s.CORSOrigins })},
	{Name: "TRUSTED_PROXIES", Empty: "none", Help: "networks whose X-Forwarded-* are believed", Expects: "networks as in 10.0.0.0/8, separated by commas",
		Details: "The addresses of your proxies, as Belfry sees them. From anybody else these headers are passed over.",
		set:     into(networks, func(s *Settings) *[]netip.Prefix { return &s.TrustedProxies })},

	{Name: "SECRET", Empty: "made at first start, kept in the database", Secret: true, Help: "signs tokens, and seals the secrets that must be read back", Expects: "at least 32 bytes",
		Details: "While it is made by the server nothing is sealed, for the key would lie beside what it seals. How to change it: [a new signing key](operate.md#a-new-signing-key).",
		set:     into(secret, func(s *Settings) *[]byte { return &s.Secret })},
	{Name: "SECRET_PREVIOUS", Empty: "none", Secret: true, Help: "older or coming values of SECRET, which verify and do not sign", Expects: "values of at least 32 bytes each, separated by commas",
		With: []string{"SECRET"},
		set:  into(secrets, func(s *Settings) *[][]byte { return &s.SecretPrevious })},
	{Name: "ADMIN_USER", Empty: "none", Help: "name of the first admin, made only while there are no users", Expects: "a name",
		With: []string{"ADMIN_PASSWORD"},
		set:  into(text, func(s *Settings) *string { return &s.AdminUser })},
	{Name: "ADMIN_PASSWORD", Empty: "none", Secret: true, Help: "password of the first admin", Expects: "a password",
		With: []string{"ADMIN_USER"},
		set:  into(text, func(s *Settings) *string { return &s.AdminPassword })},

	{Name: "SESSION_IDLE", Default: "15m", Help: "a session locks after this long without activity", Expects: expectsSecond,
		Details: "Keys and pointer are activity; streams, polling and open pages are not.",
		set:     into(atLeast(time.Second), func(s *Settings) *time.Duration { return &s.SessionIdle })},
	{Name: "SESSION_MAX", Default: "12h", Help: "a session ends after this long, whatever happens", Expects: expectsSecond,
		Details: "Then a whole sign-in is needed, not only the password.",
		set:     into(atLeast(time.Second), func(s *Settings) *time.Duration { return &s.SessionMax })},
	{Name: "SESSION_WARNING", Default: "60s", Help: "how long before a session locks or ends its user is warned", Expects: expectsSecond,
		Details: "Counts as half of `SESSION_IDLE` at most.",
		With:    []string{"SESSION_IDLE", "SESSION_MAX"},
		set:     into(atLeast(time.Second), func(s *Settings) *time.Duration { return &s.SessionWarning })},
	{Name: "HEARTBEAT", Default: "15s", Help: "a silent stream says ping after this long", Expects: "a duration from 100ms to 200 years",
		Details: "Has to be shorter than the read timeout of every proxy on the way: 60 s in `nginx.conf`.",
		set:     into(atLeast(100*time.Millisecond), func(s *Settings) *time.Duration { return &s.Heartbeat })},
	{Name: "TICKET_TTL", Default: "60s", Help: "how long a stream ticket opens streams", Expects: expectsPositive,
		Details: "A stream that is open stays open.",
		set:     into(atLeast(1), func(s *Settings) *time.Duration { return &s.TicketTTL })},
	{Name: "STREAM_MAX_AGE", Default: "0", Help: "a stream is asked to reconnect after this long", Expects: expectsDuration,
		Details: "`0`: never.",
		set:     into(atLeast(0), func(s *Settings) *time.Duration { return &s.StreamMaxAge })},
	{Name: "STREAMS_PER_USER", Default: "32", Help: "streams a user may have open on a node", Expects: "a number from 1",
		set: into(positive, func(s *Settings) *int { return &s.StreamsPerUser })},
	{Name: "RETENTION", Default: "720h", Help: "how long notices are kept, and tasks since they ended or last grew", Expects: expectsPositive,
		set: into(atLeast(1), func(s *Settings) *time.Duration { return &s.Retention })},
	{Name: "DRAIN", Default: "10s", Help: "time over which streams are sent away at shutdown", Expects: expectsDuration,
		Details: "Give the process this and 2 s more before it is killed.",
		set:     into(atLeast(0), func(s *Settings) *time.Duration { return &s.Drain })},
	{Name: "LOGIN_RATE", Default: "10/m", Help: "failed sign-ins allowed per account and address together", Expects: "NUMBER/s, NUMBER/m or NUMBER/h, as in 10/m, NUMBER up to 1000000",
		Details: "On each node. An address alone may fail 20 times as often.",
		set:     into(rate, func(s *Settings) *Rate { return &s.LoginRate })},
	{Name: "ARGON2", Default: "m=19456,t=2,p=1", Help: "cost of a password's hash (argon2id): memory in KiB, passes, lanes", Expects: expectsArgon2,
		Details: "At most `m=1048576`, `t=100`, `p=64`. An older hash is raised at the next sign-in.",
		set:     into(argon2, func(s *Settings) *Argon2 { return &s.Argon2 })},
	{Name: "AUDIT_RETENTION", Default: "8760h", Help: "how long it is kept who did what", Expects: expectsPositive,
		set: into(atLeast(1), func(s *Settings) *time.Duration { return &s.AuditRetention })},

	{Name: "OIDC_ISSUER", Empty: "none", Help: "OpenID provider that people may sign in at", Expects: "https://…, letter for letter as the provider calls itself, or http://… on this machine",
		With: []string{"OIDC_CLIENT_ID"},
		set:  into(issuer, func(s *Settings) *string { return &s.OIDCIssuer })},
	{Name: "OIDC_CLIENT_ID", Empty: "none", Help: "what the provider calls Belfry", Expects: "a name without spaces",
		With: []string{"OIDC_ISSUER"},
		set:  into(token, func(s *Settings) *string { return &s.OIDCClientID })},
	{Name: "OIDC_CLIENT_SECRET", Empty: "a public client", Secret: true, Help: "what Belfry proves itself to the provider with", Expects: "a secret of ASCII characters",
		With: []string{"OIDC_ISSUER"},
		set:  into(token, func(s *Settings) *string { return &s.OIDCClientSecret })},
	{Name: "OIDC_NAME", Empty: "the issuer's host", Help: "what people call the provider", Expects: "up to 60 characters",
		With: []string{"OIDC_ISSUER"},
		set:  into(label, func(s *Settings) *string { return &s.OIDCName })},
	{Name: "OIDC_USERNAME_CLAIM", Default: "preferred_username", Help: "the claim that holds a person's name here", Expects: "the name of a claim",
		With: []string{"OIDC_ISSUER"},
		set:  into(token, func(s *Settings) *string { return &s.OIDCUsernameClaim })},
	{Name: "OIDC_SIGN_UP", Default: "false", Help: "add people who come from the provider and are not known", Expects: "true or false",
		With: []string{"OIDC_ISSUER"},
		set:  into(yesNo, func(s *Settings) *bool { return &s.OIDCSignUp })},
	{Name: "OIDC_LOGOUT", Default: "end", Help: "what becomes of a session whose person signed out at the provider", Expects: "end or lock",
		With: []string{"OIDC_ISSUER"},
		set:  into(oneOf("end", "lock"), func(s *Settings) *string { return &s.OIDCLogout })},

	{Name: "PUSH_HOSTS", Default: "fcm.googleapis.com, *.push.services.mozilla.com, *.notify.windows.com, *.push.apple.com", Help: "push services that browsers may have us send to",
		Expects: "names as in push.example.org or *.push.example.org, reached by https at public addresses; or origins as in https://push.example.org, which may be private, or http://… on this machine; separated by commas",
		Details: "As it comes, those of Chrome, Firefox, Edge and Safari.",
		set:     into(pushHosts, func(s *Settings) *[]string { return &s.PushHosts })},
	{Name: "PUSH_CONTACT", Empty: "PUBLIC_URL, or mailto:belfry@HOST where that is no https", Help: "where push services find who runs this server", Expects: "https://… or mailto:…",
		set: into(contact, func(s *Settings) *string { return &s.PushContact })},

	{Name: "GOTIFY", Default: "false", Help: "let senders of Gotify publish, by POST /message with an API key as the token", Expects: "true or false",
		Details: "See [senders](senders.md#gotify).",
		set:     into(yesNo, func(s *Settings) *bool { return &s.Gotify })},
	{Name: "NTFY", Default: "false", Help: "let senders of ntfy publish, by POST /GROUP with an API key as the token", Expects: "true or false",
		Details: "See [senders](senders.md#ntfy).",
		set:     into(yesNo, func(s *Settings) *bool { return &s.Ntfy })},

	{Name: "LOG_LEVEL", Default: "info", Help: "least level that is logged", Expects: "debug, info, warn or error",
		set: into(level, func(s *Settings) *slog.Level { return &s.LogLevel })},
	{Name: "LOG_FORMAT", Empty: "text on a terminal, else json", Help: "how the log is written", Expects: "text or json",
		set: into(oneOf("text", "json"), func(s *Settings) *string { return &s.LogFormat })},

	{Name: "URL", Empty: "none", Help: "address of a running Belfry that the commands call", Expects: "http://… or https://…",
		With: []string{"KEY"},
		set:  into(endpoint, func(s *Settings) *string { return &s.URL })},
	{Name: "KEY", Empty: "none", Secret: true, Help: "API key that the commands call it with", Expects: "an API key",
		With: []string{"URL"},
		set:  into(token, func(s *Settings) *string { return &s.Key })},
}
