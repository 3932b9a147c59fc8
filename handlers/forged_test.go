package handlers_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"belfry/models"
)

// parts are a token taken apart, to be put together as another.
type parts struct {
	header, claims map[string]any
	raw            string
}

func takeApart(s *site, raw string) parts {
	s.Helper()
	p := parts{raw: raw}
	fields := strings.Split(raw, ".")
	for i, into := range []*map[string]any{&p.header, &p.claims} {
		text, err := base64.RawURLEncoding.DecodeString(fields[i])
		if err == nil {
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.UseNumber()
			err = decoder.Decode(into)
		}
		if err != nil {
			s.Fatal(err)
		}
	}
	return p
}

// with is the token with another header and other claims; nil takes a member away.
func (p parts) with(header, claims map[string]any) parts {
	change := func(of, by map[string]any) map[string]any {
		changed := maps.Clone(of)
		for name, value := range by {
			if changed[name] = value; value == nil {
				delete(changed, name)
			}
		}
		return changed
	}
	return parts{header: change(p.header, header), claims: change(p.claims, claims), raw: p.raw}
}

// signed signs the token by a method and a key of that method.
func (p parts) signed(s *site, method jwt.SigningMethod, key any) string {
	s.Helper()
	token := &jwt.Token{Header: maps.Clone(p.header), Claims: jwt.MapClaims(p.claims), Method: method}
	if _, said := p.header["alg"]; said && p.header["alg"] == "HS256" {
		token.Header["alg"] = method.Alg()
	}
	raw, err := token.SignedString(key)
	if err != nil {
		s.Fatal(err)
	}
	return raw
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signingKey is that of every test's server.
var signingKey = bytes.Repeat([]byte("k"), 32)

// forgeries changes a genuine token in each way that must not pass. other is a genuine token of the
// other kind.
func forgeries(s *site, genuine, other string) map[string]string {
	s.Helper()
	all := map[string]string{}
	maps.Copy(all, otherKeys(s, genuine))
	maps.Copy(all, otherWords(s, genuine, other))
	maps.Copy(all, otherShapes(s, genuine, other))
	return all
}

// otherKeys are signed by another method, or by a key that is not ours.
func otherKeys(s *site, genuine string) map[string]string {
	s.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	p, fields := takeApart(s, genuine), strings.Split(genuine, ".")
	hs256, stranger, no := jwt.SigningMethodHS256, bytes.Repeat([]byte("x"), 32), jwt.UnsafeAllowNoneSignatureType
	return map[string]string{
		"alg none":                     p.signed(s, jwt.SigningMethodNone, no),
		"alg none with our signature":  encoded(`{"alg":"none","typ":"`+p.header["typ"].(string)+`","kid":"`+p.header["kid"].(string)+`"}`) + "." + fields[1] + "." + fields[2],
		"alg nOnE":                     encoded(`{"alg":"nOnE","typ":"`+p.header["typ"].(string)+`","kid":"`+p.header["kid"].(string)+`"}`) + "." + fields[1] + ".",
		"no alg":                       p.with(map[string]any{"alg": nil}, nil).signed(s, hs256, signingKey),
		"alg HS384":                    p.signed(s, jwt.SigningMethodHS384, signingKey),
		"alg HS512":                    p.signed(s, jwt.SigningMethodHS512, signingKey),
		"alg RS256":                    p.signed(s, jwt.SigningMethodRS256, rsaKey),
		"alg PS256":                    p.signed(s, jwt.SigningMethodPS256, rsaKey),
		"alg ES256":                    p.signed(s, jwt.SigningMethodES256, ecKey),
		"alg RS256, signed by HMAC":    p.with(map[string]any{"alg": "RS256"}, nil).signed(s, hs256, signingKey),
		"HMAC by a public key's bytes": p.signed(s, hs256, rsaKey.N.Bytes()),
		"another key":                  p.signed(s, hs256, stranger),
		"an empty key":                 p.signed(s, hs256, []byte{}),
		"another key, named by jku":    p.with(map[string]any{"jku": "https://evil.example/jwks.json"}, nil).signed(s, hs256, stranger),
		"another key, named by x5u":    p.with(map[string]any{"x5u": "https://evil.example/cert.pem"}, nil).signed(s, hs256, stranger),
		"another key, brought as jwk":  p.with(map[string]any{"jwk": map[string]any{"kty": "oct", "k": encoded(string(stranger))}}, nil).signed(s, hs256, stranger),
		"another key, brought as x5c":  p.with(map[string]any{"x5c": []string{encoded(string(stranger))}}, nil).signed(s, hs256, stranger),
	}
}

// otherWords are signed by our own key, and say what they must not.
func otherWords(s *site, genuine, other string) map[string]string {
	s.Helper()
	p, o := takeApart(s, genuine), takeApart(s, other)
	ours := func(header, claims map[string]any) string {
		return p.with(header, claims).signed(s, jwt.SigningMethodHS256, signingKey)
	}
	past := time.Now().Add(-1000 * time.Hour)
	return map[string]string{
		"another kid":                 ours(map[string]any{"kid": "00000000"}, nil),
		"a kid that is a path":        ours(map[string]any{"kid": "../../../../dev/null"}, nil),
		"a kid that is SQL":           ours(map[string]any{"kid": "' OR '1'='1"}, nil),
		"a kid that is a number":      ours(map[string]any{"kid": 1}, nil),
		"no kid":                      ours(map[string]any{"kid": nil}, nil),
		"another kid and key":         p.with(map[string]any{"kid": "00000000"}, nil).signed(s, jwt.SigningMethodHS256, bytes.Repeat([]byte("x"), 32)),
		"typ JWT":                     ours(map[string]any{"typ": "JWT"}, nil),
		"no typ":                      ours(map[string]any{"typ": nil}, nil),
		"typ of the other kind":       ours(map[string]any{"typ": o.header["typ"]}, nil),
		"audience of the other kind":  ours(nil, map[string]any{"aud": o.claims["aud"]}),
		"another audience":            ours(nil, map[string]any{"aud": []string{"steeple"}}),
		"no audience":                 ours(nil, map[string]any{"aud": nil}),
		"another issuer":              ours(nil, map[string]any{"iss": "steeple"}),
		"no issuer":                   ours(nil, map[string]any{"iss": nil}),
		"expired":                     ours(nil, map[string]any{"exp": past.Unix(), "exp_ms": past.UnixMilli()}),
		"no expiry":                   ours(nil, map[string]any{"exp": nil, "exp_ms": nil}),
		"an expiry that is no number": ours(nil, map[string]any{"exp": "never"}),
		"another session":             ours(nil, map[string]any{"sid": "AAAAAAAAAAAAAAAAAAAAAA"}),
		"no session":                  ours(nil, map[string]any{"sid": nil}),
		"critical header not known":   ours(map[string]any{"crit": []string{"exp", "b64"}, "b64": false}, nil),
	}
}

// otherShapes are put together wrongly.
func otherShapes(s *site, genuine, other string) map[string]string {
	s.Helper()
	p, fields := takeApart(s, genuine), strings.Split(genuine, ".")
	return map[string]string{
		"another session, not signed": fields[0] + "." + encoded(`{"sid":"other"}`) + "." + fields[2],
		"the other kind":              other,
		"nested":                      nested(s, p, genuine),
		"two tokens":                  genuine + "." + genuine,
		"encrypted by its looks":      genuine + ".AAAA.AAAA",
		"JSON":                        `{"protected":"` + fields[0] + `","payload":"` + fields[1] + `","signature":"` + fields[2] + `"}`,
		"without its signature":       fields[0] + "." + fields[1] + ".",
		"without its last part":       fields[0] + "." + fields[1],
		"signature cut short":         genuine[:len(genuine)-4],
		"cut short by one":            genuine[:len(genuine)-1],
		"signature lengthened":        genuine + "AAAA",
		"signature of the other kind": fields[0] + "." + fields[1] + "." + strings.Split(other, ".")[2],
		"padded":                      genuine + "=",
		"header of the other kind":    strings.Split(other, ".")[0] + "." + fields[1] + "." + fields[2],
		"claims of the other kind":    fields[0] + "." + strings.Split(other, ".")[1] + "." + fields[2],
		"header that is no JSON":      encoded(`{"alg":`) + "." + fields[1] + "." + fields[2],
		"noise":                       "a.b.c",
	}
}

// nested is a genuine token within a token (RFC 7519 §3).
func nested(s *site, p parts, genuine string) string {
	s.Helper()
	header, err := json.Marshal(p.with(map[string]any{"cty": "JWT"}, nil).header)
	if err != nil {
		s.Fatal(err)
	}
	signing := base64.RawURLEncoding.EncodeToString(header) + "." + encoded(genuine)
	signature, err := jwt.SigningMethodHS256.Sign(signing, signingKey)
	if err != nil {
		s.Fatal(err)
	}
	return signing + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestForgedTokens shows each forgery wherever a token is taken: as a cookie on the API and on the streams, as a ticket in
// both of its places, and where it is taken nowhere. Every answer is 401.
//
// Security: S18, S19
func TestForgedTokens(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		cookie, ticket := c.cookie, mint(c, "/api/v1/stream-tickets")
		if raw := takeApart(s, cookie).signed(s, jwt.SigningMethodHS256, signingKey); s.nobody().withCookie(raw).get("/api/v1/session").status != 200 {
			s.Fatal("a cookie of the test's own making is not taken, so no refusal would prove anything")
		}
		s.bearer(takeApart(s, ticket).signed(s, jwt.SigningMethodHS256, signingKey)).stream("/sse/stream").hello("active", "")

		streams := []string{"/sse/stream", "/sse/notice", "/sse/lock"}
		for name, forged := range forgeries(s, cookie, ticket) {
			if name == "JSON" {
				continue // no cookie can hold it
			}
			holder := s.nobody().withCookie(forged)
			for _, path := range append([]string{"/api/v1/session", "/api/v1/sessions", "/api/v1/session/check", "/api/v1/notices"}, streams...) {
				s.mustRefuse("a cookie: "+name, holder, path)
			}
			s.mustRefuse("a cookie as bearer: "+name, s.bearer(forged), "/api/v1/session")
		}
		for name, forged := range forgeries(s, ticket, cookie) {
			for _, path := range streams {
				s.mustRefuse("a ticket: "+name, s.bearer(forged), path)
				s.mustRefuse("a ticket beside a good cookie: "+name, c.with("Authorization", "Bearer "+forged), path)
				s.mustRefuse("a ticket in the query: "+name, c, path+"?token="+url.QueryEscape(forged))
			}
			s.mustRefuse("a ticket on the API: "+name, c.with("Authorization", "Bearer "+forged), "/api/v1/session")
		}
		c.get("/api/v1/session").want(200)
	})
}

func (s *site) mustRefuse(what string, asking *client, path string) {
	s.Helper()
	st := asking.open(path)
	defer st.close()
	if st.status != 401 || st.header.Get("Content-Type") != "application/problem+json" && path != "/api/v1/session/check" {
		s.Errorf("%s at %s: %d %s", what, strings.SplitN(path, "?", 2)[0], st.status, st.header.Get("Content-Type"))
	}
}
