package services

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// FuzzParseCookie: nobody gets another session out of a cookie they were given.
//
// Security: S18
func FuzzParseCookie(f *testing.F) {
	tokens := fuzzedTokens(f)
	genuine, err := tokens.sign(sessionType, claims{Issuer: issuer, Audience: []string{sessionAudience}, ID: "secret", Session: "s", Expires: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Add(strings.ReplaceAll(genuine, ".", ".."))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		if name, ok := tokens.parseCookie(raw); ok && name != (sessionName{ID: "s", SecretHash: sha256.Sum256([]byte("secret")), expires: 1000}) {
			t.Errorf("%q is taken as %+v", raw, name)
		}
	})
}

// FuzzSignedToken signs anything at all with the right key: what the two parsers take says in each of its parts that
// it is theirs, and neither takes what the other does.
//
// Security: S18, S19
func FuzzSignedToken(f *testing.F) {
	tokens := fuzzedTokens(f)
	genuine, err := tokens.sign(ticketType, claims{Issuer: issuer, Audience: []string{ticketAudience}, Session: "s", Expires: 1})
	if err != nil {
		f.Fatal(err)
	}
	header, payload := decodedPart(f, genuine, 0), decodedPart(f, genuine, 1)
	f.Add(header, payload)
	f.Add(strings.ReplaceAll(header, ticketType, sessionType), strings.ReplaceAll(payload, ticketAudience, sessionAudience))
	f.Add(strings.ReplaceAll(header, "HS256", "none"), payload)
	f.Add(strings.ReplaceAll(header, "HS256", "hs256"), payload)
	f.Add(`{"alg":"HS256","jku":"https://evil.example/keys","jwk":{"kty":"oct","k":""}}`, `{}`)
	f.Add(header, `{"iss":"belfry","aud":["belfry-stream","belfry-session"],"exp":1,"sid":"s","jti":"x"}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		mac := hmac.New(sha256.New, testKey)
		mac.Write([]byte(input))
		raw := input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
		_, isTicket := tokens.ParseTicket(raw)
		_, isCookie := tokens.parseCookie(raw)
		if isTicket && isCookie {
			t.Errorf("%s.%s is taken as both", header, payload)
		}
		if isTicket {
			saysItIs(t, header, payload, ticketType, ticketAudience)
		}
		if isCookie {
			saysItIs(t, header, payload, sessionType, sessionAudience)
		}
	})
}

func decodedPart(tb testing.TB, token string, n int) string {
	tb.Helper()
	return string(got(base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n]))(tb))
}

// saysItIs holds a token that was taken to the algorithm, type, issuer, audience and expiry that it has to have.
func saysItIs(t *testing.T, header, payload, typ, audience string) {
	t.Helper()
	var h map[string]any
	var p struct {
		Issuer   string   `json:"iss"`
		Audience []string `json:"aud"`
		Expires  int64    `json:"exp"`
	}
	must(t, json.Unmarshal([]byte(header), &h))
	must(t, json.Unmarshal([]byte(payload), &p))
	if h["alg"] != "HS256" || h["typ"] != typ || h["kid"] == nil || p.Issuer != issuer || !slices.Contains(p.Audience, audience) || p.Expires == 0 {
		t.Errorf("%s.%s is taken as a %s", header, payload, typ)
	}
}
