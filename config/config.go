// Package config turns flags and the environment into typed settings. It reads all of them before it
// complains, so that one start shows every fault.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// prefix marks the names in the environment that are ours. Everything that begins with it has to be a
// setting: a misspelled limit that is silently ignored would be worse than a start that fails.
const prefix = "BELFRY_"

// fileSuffix marks the name of a file that holds the value of a secret.
const fileSuffix = "_FILE"

// Rate is how many events are let through in a span of time.
type Rate struct {
	Count int
	Per   time.Duration
}

// Argon2 is the cost of a password's hash.
type Argon2 struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// Settings are all settings of all commands, checked. See [Options] for what each one means.
type Settings struct {
	Listen         string // host:port; an empty host is every address
	TLSCert        string // path of a PEM file; empty together with TLSKey
	TLSKey         string
	InternalListen string // empty = off

	DatabaseURL       string // sqlite:PATH or postgres://…
	DatabaseListenURL string
	NATSURL           string // empty = nodes announce through the database
	NATSCreds         string // path of a credentials file; empty = none
	NATSCA            string // path of a PEM file; empty = the system's authorities

	PublicURL      *url.URL // scheme and host alone
	PublicURLGiven bool     // or else it is this machine's
	CORSOrigins    []string // as browsers write them
	TrustedProxies []netip.Prefix

	Secret         []byte   // empty, or at least 32 bytes
	SecretPrevious [][]byte // verify and open, never sign or seal
	AdminUser      string
	AdminPassword  string

	SessionIdle    time.Duration
	SessionMax     time.Duration
	SessionWarning time.Duration
	Heartbeat      time.Duration
	TicketTTL      time.Duration
	StreamMaxAge   time.Duration // 0 = a stream may last for ever
	StreamsPerUser int
	Retention      time.Duration
	Drain          time.Duration
	AuditRetention time.Duration
	LoginRate      Rate
	Argon2         Argon2

	OIDCIssuer        string // empty = nobody signs in at a provider
	OIDCClientID      string
	OIDCClientSecret  string
	OIDCName          string
	OIDCUsernameClaim string
	OIDCSignUp        bool
	OIDCLogout        string // end or lock

	PushHosts   []string // HOST, *.HOST, or an origin
	PushContact string   // https://… or mailto:…

	Gotify bool // senders of Gotify may publish
	Ntfy   bool // senders of ntfy may publish

	LogLevel  slog.Level
	LogFormat string // text, json, or empty: text on a terminal, else json

	URL string // of the API that the commands call
	Key string // the API key they call it with
}

// SecureCookies reports whether browsers reach Belfry over https, so that the cookie may be bound to it.
func (s *Settings) SecureCookies() bool { return s.PublicURL.Scheme == "https" }

// OnSQLite reports whether the database is a file that one process at a time can have.
func (s *Settings) OnSQLite() bool { return strings.HasPrefix(s.DatabaseURL, "sqlite:") }

// Fault is one setting that cannot be used. Want never repeats the rejected value: it may be a secret,
// or a secret put in the wrong place.
type Fault struct {
	Name string // as it was given: the flag, or the name in the environment
	Want string
}

// Faults is the error of [Load].
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = "  " + fault.Name + ": " + fault.Want
	}
	return "the settings cannot be used:\n" + strings.Join(lines, "\n")
}

// Load works out the settings. A flag (by the setting's name, LISTEN) counts before the environment
// (BELFRY_LISTEN=…, or for a secret BELFRY_…_FILE), and that before the default. An empty value means
// the default. The error is a [Faults] with all that is wrong.
func Load(flags map[string]string, environ []string) (*Settings, error) {
	l := loader{flags: flags, environ: map[string]string{}}
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, prefix) {
			l.environ[name] = value
		}
	}
	s := &Settings{}
	for i := range options {
		l.read(&options[i], s)
	}
	l.refuseUnknown()
	if s.PublicURLGiven = s.PublicURL != nil; !s.PublicURLGiven {
		s.PublicURL = localURL(s)
	}
	if s.DatabaseListenURL == "" {
		s.DatabaseListenURL = s.DatabaseURL
	}
	if s.PushContact == "" {
		s.PushContact = contactOf(s.PublicURL)
	}
	if s.OIDCName == "" {
		s.OIDCName = hostOf(s.OIDCIssuer)
	}
	l.checkTogether(s)
	if len(l.faults) > 0 {
		return nil, l.faults
	}
	return s, nil
}

type loader struct {
	flags   map[string]string
	environ map[string]string // only what begins with the prefix
	faults  Faults
}

func (l *loader) fault(name, want string) { l.faults = append(l.faults, Fault{name, want}) }

// read finds the value of one setting and puts it into s.
func (l *loader) read(o *Option, s *Settings) {
	value, source, ok := l.find(o)
	if !ok {
		return
	}
	if value == "" {
		value = o.Default
	}
	if value != "" && !o.set(s, value) {
		l.fault(source, "expected "+o.Expects)
	}
}

// find gives the value and the name it came by; ok is false when it could not be read.
func (l *loader) find(o *Option) (value, source string, ok bool) {
	if value, given := l.flags[o.Name]; given {
		return value, "--" + o.Flag(), true
	}
	env := o.Env()
	value, file := l.environ[env], l.environ[env+fileSuffix]
	if !o.Secret || file == "" {
		return value, env, true
	}
	if value != "" {
		l.fault(env+fileSuffix, "expected only one of "+env+" and "+env+fileSuffix)
		return "", "", false
	}
	value, err := readSecret(file)
	if err != nil {
		l.fault(env+fileSuffix, err.Error())
		return "", "", false
	}
	return value, env + fileSuffix, true
}

// readSecret reads a file less one line end at its end, which editors and echo put there.
func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // without the path: it may be the secret itself, given by the wrong name
		}
		return "", fmt.Errorf("the file cannot be read: %w", err)
	}
	value, cut := strings.CutSuffix(string(text), "\n")
	if cut {
		value = strings.TrimSuffix(value, "\r")
	}
	if value == "" {
		return "", errors.New("the file is empty")
	}
	return value, nil
}

func (l *loader) refuseUnknown() {
	known := map[string]bool{}
	for _, o := range options {
		known[o.Env()] = true
		if o.Secret {
			known[o.Env()+fileSuffix] = true
		}
	}
	var unknown []string
	for name := range l.environ {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		l.fault(name, "there is no such setting")
	}
}

// checkTogether finds settings that are right alone and wrong beside each other.
func (l *loader) checkTogether(s *Settings) {
	if (s.TLSCert == "") != (s.TLSKey == "") {
		l.faultOf("expected both or neither", "TLS_CERT", "TLS_KEY")
	}
	if (s.AdminUser == "") != (s.AdminPassword == "") && !l.failed("ADMIN_PASSWORD") {
		l.faultOf("expected both or neither", "ADMIN_USER", "ADMIN_PASSWORD")
	}
	if s.InternalListen != "" && s.InternalListen == s.Listen && portOf(s.Listen) != "0" {
		l.faultOf("expected two different addresses", "LISTEN", "INTERNAL_LISTEN")
	}
	if s.OnSQLite() && s.DatabaseListenURL != s.DatabaseURL {
		l.faultOf("expected only beside a DATABASE_URL of PostgreSQL", "DATABASE_LISTEN_URL")
	}
	if (s.OIDCIssuer == "") != (s.OIDCClientID == "") && !l.failed("OIDC_ISSUER") && !l.failed("OIDC_CLIENT_ID") {
		l.faultOf("expected both or neither", "OIDC_ISSUER", "OIDC_CLIENT_ID")
	}
	if s.OIDCIssuer == "" && s.OIDCClientID == "" && s.OIDCClientSecret != "" && !l.failed("OIDC_ISSUER") {
		l.faultOf("expected only beside OIDC_ISSUER", "OIDC_CLIENT_SECRET")
	}
	if s.NATSURL == "" && s.NATSCreds+s.NATSCA != "" && !l.failed("NATS_URL") {
		l.faultOf("expected only beside NATS_URL", "NATS_CREDS", "NATS_CA")
	}
}

// faultOf names settings as the environment does, whichever way they came.
func (l *loader) faultOf(want string, settings ...string) {
	l.fault(prefix+strings.Join(settings, ", "+prefix), want)
}

// failed reports whether a setting has a fault of its own, so that one mistake is not told twice.
func (l *loader) failed(setting string) bool {
	return slices.ContainsFunc(l.faults, func(f Fault) bool { return strings.HasPrefix(f.Name, prefix+setting) })
}

// localURL is where a browser on this machine finds us.
func localURL(s *Settings) *url.URL {
	u := &url.URL{Scheme: "http", Host: "localhost:" + portOf(s.Listen)}
	if s.TLSCert != "" {
		u.Scheme = "https"
	}
	return u
}

// contactOf is what a push service may call us by: it wants an address by https, or of mail (RFC 8292 §2.1).
func contactOf(public *url.URL) string {
	if public.Scheme == "https" {
		return public.String()
	}
	return "mailto:belfry@" + public.Hostname()
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address) // checked when it was read; empty after a fault
	return port
}
