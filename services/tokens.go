package services

import (
	"crypto/sha256"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"belfry/models"
)

// What the tokens say of themselves. Each purpose has its own audience and type, so that none can be
// used as another (RFC 8725 §3.11, §3.12).
const (
	issuer          = "belfry"
	sessionAudience = "belfry-session"
	sessionType     = "belfry-session+jwt"
	ticketAudience  = "belfry-stream"
	ticketType      = "belfry-ticket+jwt"
)

// headerMembers is how many members the header of a token has: alg, kid and typ.
const headerMembers = 3

// cookieSlack is how long a cookie's signature outlives its session, so that an ended session can
// still be told why it ended.
const cookieSlack = 24 * time.Hour

// Tokens signs and reads the two kinds of JWT. A token only names a row: the row decides.
type Tokens struct {
	ring       *Keyring
	sessionTTL time.Duration
	ticketTTL  time.Duration
	cookies    *cache[[sha256.Size]byte, sessionName] // those whose signature held, by hash: what it says does not change
}

// NewTokens signs with the ring's first key. sessionMax is how long a session may last at most.
func NewTokens(ring *Keyring, sessionMax, ticketTTL time.Duration) *Tokens {
	return &Tokens{ring: ring, sessionTTL: sessionMax + cookieSlack, ticketTTL: ticketTTL, cookies: newCache[[sha256.Size]byte, sessionName]()}
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// claims are those of RFC 7519 §4.1 that we use, and our own. They are read for each request, and the library's type
// for times takes as long as all the others.
type claims struct {
	Issuer   string   `json:"iss"`
	Audience []string `json:"aud"`
	ID       string   `json:"jti"`
	Expires  int64    `json:"exp"` // s since 1970 UTC
	Session  string   `json:"sid,omitempty"`
	User     int64    `json:"uid,omitempty"`
	Key      int64    `json:"key,omitempty"`

	// ExpMS is exp in milliseconds, for exp itself counts whole seconds.
	ExpMS int64 `json:"exp_ms,omitempty"`
}

// GetExpirationTime and the others are what the library asks for.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) {
	if c.Expires == 0 {
		return nil, nil //nolint:nilnil // as jwt.Claims has it: there is none
	}
	return jwt.NewNumericDate(time.Unix(c.Expires, 0)), nil
}
func (*claims) GetIssuedAt() (*jwt.NumericDate, error)   { return nil, nil } //nolint:nilnil // as above
func (*claims) GetNotBefore() (*jwt.NumericDate, error)  { return nil, nil } //nolint:nilnil // as above
func (*claims) GetSubject() (string, error)              { return "", nil }
func (c *claims) GetIssuer() (string, error)             { return c.Issuer, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error) { return c.Audience, nil }

// parserFor reads tokens for one audience. The expiry is left to the caller, who knows the database's clock: nodes whose
// clocks differ must agree on a ticket.
func parserFor(audience string) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return time.Unix(0, 0) }))
}

var sessionParser, ticketParser = parserFor(sessionAudience), parserFor(ticketAudience)

func (t *Tokens) sign(typ string, c claims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, &c)
	token.Header["typ"] = typ
	key := t.ring.signing()
	token.Header["kid"] = key.kid
	return token.SignedString(key.secret)
}

// parse checks signature, type, issuer and audience.
func (t *Tokens) parse(raw, typ string, parser *jwt.Parser) (*claims, bool) {
	var c claims
	token, err := parser.ParseWithClaims(raw, &c, func(token *jwt.Token) (any, error) {
		// Ours say these three and no more. What else a header could say names other keys (jku, x5u, jwk), or asks for what
		// the reader has to know (crit, RFC 7515 §4.1.11), which the library passes over.
		if token.Header["typ"] != typ || len(token.Header) != headerMembers {
			return nil, jwt.ErrTokenUnverifiable
		}
		secret, known := t.ring.named(token.Header["kid"])
		if !known {
			return nil, jwt.ErrTokenUnverifiable
		}
		return secret, nil
	})
	return &c, err == nil && token.Valid
}

// sessionCookie makes the value of a session's cookie. now is the database's clock.
func (t *Tokens) sessionCookie(s *models.Session, secret string) (string, error) {
	return t.sign(sessionType, claims{Issuer: issuer, Audience: []string{sessionAudience}, ID: secret, Session: s.ID,
		Expires: s.CreatedAt.Time().Add(t.sessionTTL).Unix()})
}

// Ticket is a stream ticket that was read and whose signature holds.
type Ticket struct {
	SessionID string
	UserID    int64 // minted by a key
	KeyID     int64
	expires   models.Instant
}

func (t *Tokens) mint(ticket Ticket, now models.Instant) (string, time.Duration, error) {
	expires := now.Time().Add(t.ticketTTL)
	token, err := t.sign(ticketType, claims{Issuer: issuer, Audience: []string{ticketAudience}, ID: randomText(9),
		Session: ticket.SessionID, User: ticket.UserID, Key: ticket.KeyID, Expires: expires.Add(time.Second - 1).Unix(), ExpMS: expires.UnixMilli()})
	return token, t.ticketTTL, err
}

// ParseTicket reads a stream ticket.
func (t *Tokens) ParseTicket(raw string) (*Ticket, bool) {
	c, ok := t.parse(raw, ticketType, ticketParser)
	if !ok {
		return nil, false
	}
	return &Ticket{SessionID: c.Session, UserID: c.User, KeyID: c.Key, expires: models.Instant(c.ExpMS)}, true
}

// sessionName is what a session's cookie carries.
type sessionName struct {
	ID         string
	SecretHash [sha256.Size]byte
	expires    models.Instant
}

func (t *Tokens) parseCookie(raw string) (sessionName, bool) {
	key := sha256.Sum256([]byte(raw))
	name, turn, known := t.cookies.get(key)
	if known {
		return name, true
	}
	c, ok := t.parse(raw, sessionType, sessionParser)
	if !ok || c.Session == "" || c.ID == "" {
		return sessionName{}, false
	}
	name = sessionName{ID: c.Session, SecretHash: sha256.Sum256([]byte(c.ID)), expires: models.InstantOf(time.Unix(c.Expires, 0))}
	t.cookies.put(turn, key, name)
	return name, true
}

// Minted is a stream ticket for a client.
type Minted struct {
	Token     string `json:"token" doc:"Opens streams: ?token= or Authorization: Bearer, on /sse/ alone"`
	ExpiresIn int64  `json:"expires_in_ms"`
}

func (t *Tokens) minted(ticket Ticket, now models.Instant) (Minted, error) {
	token, ttl, err := t.mint(ticket, now)
	return Minted{Token: token, ExpiresIn: ttl.Milliseconds()}, err
}
