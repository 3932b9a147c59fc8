package services

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"belfry/models"
)

var testKey = bytes.Repeat([]byte("k"), MinSecret)

func newTokens(t *testing.T, key []byte) *Tokens {
	t.Helper()
	return NewTokens(got(NewKeyring(t.Context(), nil, key))(t), time.Hour, time.Minute)
}

// forge signs claims with any method, header and key.
func forge(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, c claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, &c)
	for name, value := range header {
		token.Header[name] = value
	}
	return got(token.SignedString(key))(t)
}

func ticketClaims() claims {
	in := time.Now().Add(time.Hour)
	return claims{Session: "s", ExpMS: in.UnixMilli(), Issuer: issuer, Audience: []string{ticketAudience}, ID: "id", Expires: in.Unix()}
}

// Security: S18, S19
func TestForgedTicketsAreRefused(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, testKey)
	header := map[string]any{"typ": ticketType, "kid": tokens.ring.signing().kid}
	genuine := forge(t, jwt.SigningMethodHS256, testKey, header, ticketClaims())
	if ticket, ok := tokens.ParseTicket(genuine); !ok || ticket.SessionID != "s" {
		t.Fatal("the tests' own ticket is not taken, so a refusal of its changes would prove nothing")
	}
	rsaKey := got(rsa.GenerateKey(rand.Reader, 2048))(t)
	with := func(change func(c *claims)) claims { c := ticketClaims(); change(&c); return c }
	parts := strings.Split(genuine, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"` + ticketType + `","kid":"` + tokens.ring.signing().kid + `"}`))
	for name, raw := range map[string]string{
		"alg none":              forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header, ticketClaims()),
		"alg none, signed":      none + "." + parts[1] + "." + parts[2],
		"alg none, unsigned":    none + "." + parts[1] + ".",
		"alg RS256":             forge(t, jwt.SigningMethodRS256, rsaKey, header, ticketClaims()),
		"alg HS384":             forge(t, jwt.SigningMethodHS384, testKey, header, ticketClaims()),
		"alg HS512":             forge(t, jwt.SigningMethodHS512, testKey, header, ticketClaims()),
		"another key":           forge(t, jwt.SigningMethodHS256, bytes.Repeat([]byte("x"), MinSecret), header, ticketClaims()),
		"an empty key":          forge(t, jwt.SigningMethodHS256, []byte{}, header, ticketClaims()),
		"another kid":           forge(t, jwt.SigningMethodHS256, testKey, map[string]any{"typ": ticketType, "kid": "00000000"}, ticketClaims()),
		"no kid":                forge(t, jwt.SigningMethodHS256, testKey, map[string]any{"typ": ticketType}, ticketClaims()),
		"typ of a session":      forge(t, jwt.SigningMethodHS256, testKey, map[string]any{"typ": sessionType, "kid": tokens.ring.signing().kid}, ticketClaims()),
		"typ JWT":               forge(t, jwt.SigningMethodHS256, testKey, map[string]any{"kid": tokens.ring.signing().kid}, ticketClaims()),
		"another issuer":        forge(t, jwt.SigningMethodHS256, testKey, header, with(func(c *claims) { c.Issuer = "steeple" })),
		"no issuer":             forge(t, jwt.SigningMethodHS256, testKey, header, with(func(c *claims) { c.Issuer = "" })),
		"audience of a session": forge(t, jwt.SigningMethodHS256, testKey, header, with(func(c *claims) { c.Audience = []string{sessionAudience} })),
		"no audience":           forge(t, jwt.SigningMethodHS256, testKey, header, with(func(c *claims) { c.Audience = nil })),
		"no expiry":             forge(t, jwt.SigningMethodHS256, testKey, header, with(func(c *claims) { c.Expires = 0 })),
		"a changed payload":     parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sid":"other"}`)) + "." + parts[2],
		"a cut signature":       genuine[:len(genuine)-4],
		"no signature":          parts[0] + "." + parts[1] + ".",
		"two parts":             parts[0] + "." + parts[1],
		"nothing":               "",
		"noise":                 "a.b.c",
		"white space":           genuine + " ",
	} {
		if ticket, ok := tokens.ParseTicket(raw); ok || ticket != nil {
			t.Errorf("%s: taken as %+v", name, ticket)
		}
	}
}

// TestNoTokenStandsInForAnother: a cookie opens no stream as a ticket, a ticket is no session.
//
// Security: S19
func TestNoTokenStandsInForAnother(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, testKey)
	now := models.InstantOf(time.Now())
	cookie := got(tokens.sessionCookie(&models.Session{ID: "s", CreatedAt: now}, "secret"))(t)
	ticket := got(tokens.minted(Ticket{SessionID: "s"}, now))(t)
	for range 2 { // from memory the second time
		if name, ok := tokens.parseCookie(cookie); !ok || name.ID != "s" || !bytes.Equal(name.SecretHash[:], hashOf("secret")) {
			t.Errorf("the cookie: %+v, %v", name, ok)
		}
	}
	if read, ok := tokens.ParseTicket(ticket.Token); !ok || read.SessionID != "s" || ticket.ExpiresIn != 60_000 {
		t.Errorf("the ticket: %+v, %v", read, ok)
	}
	if _, ok := tokens.ParseTicket(cookie); ok {
		t.Error("a cookie is taken as a ticket")
	}
	if _, ok := tokens.parseCookie(ticket.Token); ok {
		t.Error("a ticket is taken as a cookie")
	}
	if _, ok := newTokens(t, bytes.Repeat([]byte("x"), MinSecret)).parseCookie(cookie); ok {
		t.Error("another installation takes the cookie")
	}
	for _, c := range []claims{{Session: "s"}, {ID: "secret"}} {
		c.Issuer, c.Audience, c.Expires = issuer, []string{sessionAudience}, time.Now().Unix()
		if _, ok := tokens.parseCookie(forge(t, jwt.SigningMethodHS256, testKey, map[string]any{"typ": sessionType, "kid": tokens.ring.signing().kid}, c)); ok {
			t.Errorf("a cookie that names half a session is taken: %+v", c)
		}
	}
}

// TestCookieOutlivesItsSession: its exp is the longest age and a day, so that an ended session can
// still be told why.
func TestCookieOutlivesItsSession(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, testKey)
	created := models.InstantOf(time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC))
	raw := got(tokens.sessionCookie(&models.Session{ID: "s", CreatedAt: created}, "secret"))(t)
	var c claims
	_, _, err := jwt.NewParser().ParseUnverified(raw, &c)
	must(t, err)
	if want := time.Date(2024, 5, 2, 1, 0, 0, 0, time.UTC); c.Expires != want.Unix() {
		t.Errorf("exp %v, want %v", c.Expires, want)
	}
}

// Security: S21
func TestSigningKey(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		for name, keys := range map[string][2][]byte{"short": {testKey[:MinSecret-1], testKey}, "short previous": {testKey, testKey[1:]}} {
			if _, err := NewKeyring(t.Context(), n.db, keys[0], keys[1]); err == nil {
				t.Errorf("a %s key is taken", name)
			}
		}
		again := got(NewKeyring(t.Context(), n.db, nil))(t).signing().secret
		if !bytes.Equal(again, n.tokens.ring.signing().secret) || len(again) < MinSecret {
			t.Error("another start made another key")
		}
		n.run(t, "DELETE FROM secrets")
		made := make([][]byte, 8)
		atOnce(len(made), func(i int) {
			ring, err := NewKeyring(t.Context(), n.db, nil)
			if err != nil {
				t.Error(err)
				return
			}
			made[i] = ring.signing().secret
		})
		for _, key := range made {
			if !bytes.Equal(key, made[0]) {
				t.Error("nodes that start at once have different keys")
			}
		}
		if bytes.Equal(made[0], again) {
			t.Error("the new key is the old one")
		}
	})
}

func fuzzedTokens(f *testing.F) *Tokens {
	f.Helper()
	return NewTokens(got(NewKeyring(f.Context(), nil, testKey))(f), time.Hour, time.Minute)
}

// FuzzParseTicket: nobody gets another ticket out of one they were given.
//
// Security: S18
func FuzzParseTicket(f *testing.F) {
	tokens := fuzzedTokens(f)
	// The same in every process of the fuzzer, so without anything random.
	c := claims{Session: "s", ExpMS: 1, Issuer: issuer, Audience: []string{ticketAudience}, Expires: 1}
	genuine, err := tokens.sign(ticketType, c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		if ticket, ok := tokens.ParseTicket(raw); ok && *ticket != (Ticket{SessionID: "s", expires: 1}) {
			t.Errorf("%q is taken as %+v", raw, ticket)
		}
	})
}
