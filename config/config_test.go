package config

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const longSecret = "0123456789abcdef0123456789abcdef"

func TestDefaults(t *testing.T) {
	s, err := Load(nil, []string{"PATH=/bin", "BELFRY=not ours"})
	if err != nil {
		t.Fatal(err)
	}
	want := &Settings{
		Listen: "127.0.0.1:8080", DatabaseURL: "sqlite:./data/belfry.db", DatabaseListenURL: "sqlite:./data/belfry.db",
		PublicURL:   s.PublicURL,
		SessionIdle: 15 * time.Minute, SessionMax: 12 * time.Hour, SessionWarning: time.Minute,
		Heartbeat: 15 * time.Second, TicketTTL: time.Minute, StreamsPerUser: 32,
		Retention: 720 * time.Hour, Drain: 10 * time.Second, LoginRate: Rate{10, time.Minute}, Argon2: Argon2{19456, 2, 1}, AuditRetention: 8760 * time.Hour, LogLevel: slog.LevelInfo,
		OIDCUsernameClaim: "preferred_username", OIDCLogout: "end", PushContact: "mailto:belfry@localhost",
		PushHosts: []string{"fcm.googleapis.com", "*.push.services.mozilla.com", "*.notify.windows.com", "*.push.apple.com"},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	if got := s.PublicURL.String(); got != "http://localhost:8080" || s.SecureCookies() {
		t.Errorf("public URL %s, secure %v", got, s.SecureCookies())
	}
}

// TestEverySettingByEachWay sets all settings, once by flags and once by the environment, and expects
// the same of both.
func TestEverySettingByEachWay(t *testing.T) {
	values := map[string]string{
		"LISTEN": ":9000", "TLS_CERT": "c.pem", "TLS_KEY": "k.pem", "INTERNAL_LISTEN": "[::1]:9001",
		"DATABASE_URL": "postgres://u:p@db/belfry", "DATABASE_LISTEN_URL": "postgresql://u:p@direct/belfry", "NATS_URL": "nats://a:4222,nats://b:4222",
		"NATS_CREDS": "n.creds", "NATS_CA": "ca.pem",
		"PUBLIC_URL": "https://Bell.example.org/", "CORS_ORIGINS": "https://a.example.org, http://localhost:5173", "TRUSTED_PROXIES": "10.1.2.3/8, 192.0.2.7,2001:db8::/32",
		"SECRET": longSecret, "SECRET_PREVIOUS": strings.Repeat("a", 32) + ", " + strings.Repeat("b", 33), "ADMIN_USER": "root", "ADMIN_PASSWORD": "long enough",
		"SESSION_IDLE": "1s", "SESSION_MAX": "24h", "SESSION_WARNING": "90s", "HEARTBEAT": "100ms", "TICKET_TTL": "500ms",
		"STREAM_MAX_AGE": "1h", "STREAMS_PER_USER": "3", "RETENTION": "48h", "DRAIN": "0", "LOGIN_RATE": "5/h", "ARGON2": "m=65536,t=3,p=2", "AUDIT_RETENTION": "48h",
		"OIDC_ISSUER": "https://id.example.org/realms/a/", "OIDC_CLIENT_ID": "belfry", "OIDC_CLIENT_SECRET": "s3cret", "OIDC_NAME": "Staff Portal",
		"OIDC_USERNAME_CLAIM": "email", "OIDC_SIGN_UP": "true", "OIDC_LOGOUT": "lock",
		"PUSH_HOSTS": "*.push.example.org, push.example.com,https://push.lan, http://127.0.0.1:9000", "PUSH_CONTACT": "mailto:ops@example.org",
		"GOTIFY": "true", "NTFY": "true", "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "URL": "http://127.0.0.1:8080/", "KEY": "bfk_x",
	}
	flags, environ := map[string]string{}, []string{}
	for _, o := range Options() {
		if values[o.Name] == "" {
			t.Fatalf("%s is not tried here", o.Name)
		}
		flags[o.Name] = values[o.Name]
		environ = append(environ, o.Env()+"="+values[o.Name])
	}
	byFlag, err := Load(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	byEnv, err := Load(nil, environ)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(byFlag, byEnv) {
		t.Errorf("flags gave %+v\nthe environment %+v", byFlag, byEnv)
	}
	want := &Settings{
		Listen: ":9000", TLSCert: "c.pem", TLSKey: "k.pem", InternalListen: "[::1]:9001",
		DatabaseURL: "postgres://u:p@db/belfry", DatabaseListenURL: "postgresql://u:p@direct/belfry", NATSURL: "nats://a:4222,nats://b:4222",
		NATSCreds: "n.creds", NATSCA: "ca.pem",
		PublicURL: byEnv.PublicURL, PublicURLGiven: true, CORSOrigins: []string{"https://a.example.org", "http://localhost:5173"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")},
		SecretPrevious: [][]byte{[]byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 33))},
		Secret:         []byte(longSecret), AdminUser: "root", AdminPassword: "long enough",
		SessionIdle: time.Second, SessionMax: 24 * time.Hour, SessionWarning: 90 * time.Second, Heartbeat: 100 * time.Millisecond, TicketTTL: 500 * time.Millisecond,
		StreamMaxAge: time.Hour, StreamsPerUser: 3, Retention: 48 * time.Hour, Drain: 0, LoginRate: Rate{5, time.Hour},
		Argon2: Argon2{65536, 3, 2}, AuditRetention: 48 * time.Hour,
		OIDCIssuer: "https://id.example.org/realms/a/", OIDCClientID: "belfry", OIDCClientSecret: "s3cret", OIDCName: "Staff Portal",
		OIDCUsernameClaim: "email", OIDCSignUp: true, OIDCLogout: "lock",
		PushHosts: []string{"*.push.example.org", "push.example.com", "https://push.lan", "http://127.0.0.1:9000"}, PushContact: "mailto:ops@example.org",
		Gotify: true, Ntfy: true, LogLevel: slog.LevelDebug, LogFormat: "json", URL: "http://127.0.0.1:8080", Key: "bfk_x",
	}
	if !reflect.DeepEqual(byEnv, want) {
		t.Errorf("got  %+v\nwant %+v", byEnv, want)
	}
	if s, err := Load(nil, []string{"BELFRY_PUBLIC_URL=https://bell.example.org"}); err != nil || s.PushContact != "https://bell.example.org" {
		t.Errorf("a push service is told of %v, %v", s, err)
	}
	if got := byEnv.PublicURL.String(); got != "https://bell.example.org" || !byEnv.SecureCookies() {
		t.Errorf("public URL %s, secure %v", got, byEnv.SecureCookies())
	}
}

func TestPrecedence(t *testing.T) {
	environ := []string{"BELFRY_LISTEN=127.0.0.1:1", "BELFRY_DRAIN=", "BELFRY_HEARTBEAT=nonsense"}
	s, err := Load(map[string]string{"LISTEN": "127.0.0.1:2", "HEARTBEAT": ""}, environ)
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != "127.0.0.1:2" {
		t.Errorf("the flag did not win: %s", s.Listen)
	}
	if s.Drain != 10*time.Second {
		t.Errorf("an empty value in the environment is the default, got %v", s.Drain)
	}
	if s.Heartbeat != 15*time.Second {
		t.Errorf("an empty flag is the default, whatever the environment says, got %v", s.Heartbeat)
	}
	if got := s.PublicURL.String(); got != "http://localhost:2" {
		t.Errorf("public URL %s", got)
	}
}

func TestDefaultPublicURLUnderTLS(t *testing.T) {
	s, err := Load(map[string]string{"LISTEN": ":8443", "TLS_CERT": "c", "TLS_KEY": "k"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.PublicURL.String(); got != "https://localhost:8443" {
		t.Errorf("public URL %s", got)
	}
}

// TestRefusedValues also makes sure that no fault repeats the value.
func TestRefusedValues(t *testing.T) {
	refused := map[string][]string{
		"LISTEN":              {"8080", "localhost", "localhost:http", "localhost:65536", "http://localhost:80", "localhost:-1"},
		"INTERNAL_LISTEN":     {"off", "9090"},
		"DATABASE_URL":        {"sqlite:", "sqlite://", "sqlite::memory:", "mysql://x/y", "belfry.db", "postgres:db", "postgres://u:s3cret@[::1/x"},
		"DATABASE_LISTEN_URL": {"sqlite:x.db", "nats://x"},
		"NATS_URL":            {"localhost:4222", "http://localhost", "nats://a,,nats://b"},
		"PUBLIC_URL":          {"example.org", "ftp://example.org", "https://", "https://a.org/path", "https://a.org/?q", "https://a.org/#f", "https://u:p@a.org"},
		"CORS_ORIGINS": {"*", "https://*.example.org", "https://a.org/", "https://a.org,*", "null", "https://A.org", "HTTPS://a.org",
			"https://a.org:443", "http://a.org:80", "https://a.org:", "https://u@a.org", "https://bücher.example", "https://a.org,", "https://a.org?x", "https://a.org#"},
		"TRUSTED_PROXIES": {"all", "10.0.0.0/33", "10.0.0.0/8;11.0.0.0/8", "*", "fe80::1%eth0", ","},
		"PUSH_HOSTS": {"*", "*.", "*.*.example.org", "push", "fcm.googleapis.com:443", "http://push.example.org", "https://a.org/path", "https://*.example.org", "10.0.0.1",
			"a.org,", "Push.example.org", "a_b.example.org", "https://a.org:443", "https://u@a.org", "localhost"},
		"PUSH_CONTACT":     {"ops@example.org", "http://example.org", "mailto:", "mailto:ops", "mailto:Ops <ops@example.org>", "tel:1", "https://u@a.org"},
		"SECRET":           {"short", longSecret[1:]},
		"SECRET_PREVIOUS":  {"short", longSecret + ",", longSecret + "," + longSecret[1:]},
		"SESSION_IDLE":     {"999ms", "0", "-1m", "15", "soon", "1d"},
		"SESSION_MAX":      {"0", "500ms", "1752000h1s", "2562047h47m"},
		"SESSION_WARNING":  {"0", "500ms"},
		"HEARTBEAT":        {"99ms", "0", "1"},
		"TICKET_TTL":       {"0", "-1s"},
		"STREAM_MAX_AGE":   {"-1s", "never"},
		"STREAMS_PER_USER": {"0", "-1", "many", "1.5"},
		"RETENTION":        {"0", "-720h", "30d"},
		"DRAIN":            {"-1s", "10"},
		"LOGIN_RATE":       {"10", "10/", "/m", "0/m", "-1/m", "10/d", "ten/m", "10/m/m", "1000001/s"},
		"ARGON2":           {"m=19456", "m=19456,t=2", "m=19456,t=2,p=0", "m=19456,t=0,p=1", "m=1024,t=2,p=1", "m=2000000,t=2,p=1", "m=19456,t=2,p=300", "m=19456,t=2,p=1,x", "t=2,m=19456,p=1", "m=19456, t=2,p=1", "fast", "m=-1,t=2,p=1", "m=19456,t=101,p=1"},
		"AUDIT_RETENTION":  {"0", "-1h", "365d"},
		"GOTIFY":           {"on", "1"},
		"NTFY":             {"yes", "0"},
		"LOG_LEVEL":        {"trace", "INFO", "info+1"},
		"LOG_FORMAT":       {"xml", "JSON"},
		"URL":              {"localhost:8080", "ftp://x", "http://", "http://h/?key=k"},
		"KEY":              {"two words", "line\nbreak", "schlüssel"},

		"OIDC_ISSUER":         {"id.example.org", "http://id.example.org", "ftp://id.example.org", "https://", "https://id.example.org/?realm=a", "https://id.example.org/#", "https://u:p@id.example.org", "http://127.0.0.1.example.org"},
		"OIDC_CLIENT_ID":      {"two words", "bel\nfry"},
		"OIDC_CLIENT_SECRET":  {"two words", "schlüssel"},
		"OIDC_NAME":           {strings.Repeat("n", 61), "line\nbreak", "\xff"},
		"OIDC_USERNAME_CLAIM": {"two words"},
		"OIDC_SIGN_UP":        {"yes", "1", "True"},
		"OIDC_LOGOUT":         {"ignore", "END"},
	}
	for _, o := range Options() {
		for _, value := range refused[o.Name] {
			environ := []string{o.Env() + "=" + value}
			_, err := Load(nil, environ)
			faults, ok := errors.AsType[Faults](err)
			if !ok || len(faults) != 1 || faults[0].Name != o.Env() || faults[0].Want != "expected "+o.Expects {
				t.Errorf("%s=%q: %v", o.Env(), value, err)
			}
			if _, err := Load(map[string]string{o.Name: value}, nil); err == nil || !strings.Contains(err.Error(), "--"+o.Flag()+":") {
				t.Errorf("--%s=%q: %v", o.Flag(), value, err)
			}
		}
		anything := strings.HasPrefix(o.Name, "TLS_") || strings.HasPrefix(o.Name, "ADMIN_") || strings.HasPrefix(o.Name, "NATS_C")
		if !anything && len(refused[o.Name]) == 0 {
			t.Errorf("%s: no value is tried that should be refused", o.Name)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Load(map[string]string{"SESSION_IDLE": "1ms"}, []string{
		"BELFRY_SECRET=hunter2", "BELFRY_SESION_MAX=1h", "BELFRY_CORS_ORIGINS=*", "BELFRY_TLS_CERT=c.pem", "BELFRY_A=1", "BELFRY_LISTEN_FILE=x",
		"BELFRY_ADMIN_USER=root", "BELFRY_ADMIN_PASSWORD=p4ss", "BELFRY_ADMIN_PASSWORD_FILE=/tmp/p",
	})
	faults, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("not faults: %v", err)
	}
	var names []string
	for _, f := range faults {
		names = append(names, f.Name)
	}
	want := []string{
		"BELFRY_CORS_ORIGINS", "BELFRY_SECRET", "BELFRY_ADMIN_PASSWORD_FILE", "--session-idle",
		"BELFRY_A", "BELFRY_LISTEN_FILE", "BELFRY_SESION_MAX", "BELFRY_TLS_CERT, BELFRY_TLS_KEY",
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("got  %q\nwant %q", names, want)
	}
	for _, secret := range []string{"hunter2", "p4ss", "c.pem", "/tmp/p"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("a value is repeated in: %v", err)
		}
	}
	if got := strings.Count(err.Error(), "\n"); got != len(want) {
		t.Errorf("%d lines for %d faults:\n%v", got, len(want), err)
	}
}

func TestCombinations(t *testing.T) {
	tests := map[string][]string{
		"TLS_CERT, TLS_KEY":          {"BELFRY_TLS_KEY=k"},
		"ADMIN_USER, ADMIN_PASSWORD": {"BELFRY_ADMIN_USER=root"},
		"LISTEN, INTERNAL_LISTEN":    {"BELFRY_LISTEN=127.0.0.1:9", "BELFRY_INTERNAL_LISTEN=127.0.0.1:9"},
		"DATABASE_LISTEN_URL":        {"BELFRY_DATABASE_LISTEN_URL=postgres://h/d"},
		"NATS_CREDS, NATS_CA":        {"BELFRY_NATS_CA=ca.pem"},

		"OIDC_ISSUER, OIDC_CLIENT_ID": {"BELFRY_OIDC_CLIENT_ID=belfry", "BELFRY_OIDC_CLIENT_SECRET=s"},
		"OIDC_CLIENT_SECRET":          {"BELFRY_OIDC_CLIENT_SECRET=s"},
	}
	for name, environ := range tests {
		_, err := Load(nil, environ)
		name = "BELFRY_" + strings.ReplaceAll(name, ", ", ", BELFRY_")
		if faults, ok := errors.AsType[Faults](err); !ok || len(faults) != 1 || faults[0].Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(nil, []string{"BELFRY_LISTEN=127.0.0.1:0", "BELFRY_INTERNAL_LISTEN=127.0.0.1:0"}); err != nil {
		t.Errorf("two free ports are not the same one: %v", err)
	}
}

func TestNameOfTheProvider(t *testing.T) {
	for issuer, want := range map[string]string{"https://id.example.org/realms/a": "id.example.org", "http://127.0.0.1:9900": "127.0.0.1", "http://[::1]:9900": "::1"} {
		s, err := Load(nil, []string{"BELFRY_OIDC_ISSUER=" + issuer, "BELFRY_OIDC_CLIENT_ID=belfry"})
		if err != nil {
			t.Fatal(err)
		}
		if s.OIDCName != want || s.OIDCIssuer != issuer {
			t.Errorf("%s is called %s", s.OIDCIssuer, s.OIDCName)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s, err := Load(nil, []string{
		"BELFRY_SECRET_FILE=" + file("secret", longSecret+"\n\n"),
		"BELFRY_ADMIN_USER=root", "BELFRY_ADMIN_PASSWORD_FILE=" + file("password", " spaces stay \r\n"),
		"BELFRY_KEY_FILE=" + file("key", "bfk_abc"),
		"BELFRY_DATABASE_URL_FILE=" + file("database", "postgres://h/d\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Secret) != longSecret+"\n" {
		t.Errorf("one line end is dropped, no more: %q", s.Secret)
	}
	if s.AdminPassword != " spaces stay " || s.Key != "bfk_abc" || s.DatabaseURL != "postgres://h/d" {
		t.Errorf("%+v", s)
	}

	for name, environ := range map[string][]string{
		"missing":   {"BELFRY_KEY_FILE=" + filepath.Join(dir, "none")},
		"empty":     {"BELFRY_KEY_FILE=" + file("empty", "\n")},
		"both":      {"BELFRY_KEY_FILE=" + file("key2", "bfk_x"), "BELFRY_KEY=bfk_y"},
		"too short": {"BELFRY_SECRET_FILE=" + file("short", longSecret[1:]+"\n")},
	} {
		_, err := Load(nil, environ)
		faults, ok := errors.AsType[Faults](err)
		if !ok || len(faults) != 1 || !strings.HasSuffix(faults[0].Name, "_FILE") || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(map[string]string{"KEY": "bfk_flag"}, []string{"BELFRY_KEY_FILE=/does/not/exist"}); err != nil {
		t.Errorf("a flag stands before the file, which need not even exist: %v", err)
	}
}

func TestOptionNames(t *testing.T) {
	for _, o := range Options() {
		if o.Help == "" || o.Expects == "" {
			t.Errorf("%s says nothing of itself", o.Name)
		}
	}
	o := Option{Name: "SESSION_IDLE"}
	if o.Env() != "BELFRY_SESSION_IDLE" || o.Flag() != "session-idle" {
		t.Errorf("%s, %s", o.Env(), o.Flag())
	}
}
