package services

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm/clause"

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

// MinSecret is the least length of the signing key in bytes: that of the hash (RFC 7518 §3.2).
const MinSecret = 32

// cookieSlack is how long a cookie's signature outlives its session, so that an ended session can
// still be told why it ended.
const cookieSlack = 24 * time.Hour

// Tokens signs and reads the two kinds of JWT. A token only names a row: the row decides.
type Tokens struct {
	key        []byte
	kid        string
	sessionTTL time.Duration
	ticketTTL  time.Duration
	cookies    *cache[[sha256.Size]byte, sessionName] // those whose signature held, by hash: what it says does not change
}

// NewTokens uses the given key, or, where that is empty, one made at first start and kept in the
// database. sessionMax is how long a session may last at most.
func NewTokens(ctx context.Context, db *Database, secret []byte, sessionMax, ticketTTL time.Duration) (*Tokens, error) {
	if len(secret) == 0 {
		stored, err := db.storedSecret(ctx, "signing_key")
		if err != nil {
			return nil, err
		}
		secret = stored
	}
	if len(secret) < MinSecret {
		return nil, errors.New("the signing key is too short")
	}
	sum := sha256.Sum256(append([]byte("belfry kid "), secret...))
	return &Tokens{key: secret, kid: hex.EncodeToString(sum[:4]), sessionTTL: sessionMax + cookieSlack, ticketTTL: ticketTTL,
		cookies: newCache[[sha256.Size]byte, sessionName]()}, nil
}

// storedSecret reads a secret of the installation, and makes it when there is none. Of two nodes that
// start at once one wins, and both read its value.
func (d *Database) storedSecret(ctx context.Context, name string) ([]byte, error) {
	type secret struct {
		Name      string
		Value     string
		CreatedAt models.Instant
	}
	fresh := secret{Name: name, Value: randomText(MinSecret), CreatedAt: models.InstantOf(time.Now())}
	err := d.Write.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&fresh).Error
	if err != nil {
		return nil, err
	}
	var stored secret
	if err := d.Write.WithContext(ctx).Take(&stored, "name = ?", name).Error; err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.DecodeString(stored.Value)
}

// randomText gives n random bytes as base64url.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it would end the program
	return base64.RawURLEncoding.EncodeToString(b)
}

// derive works out a secret of 256 bits from the signing key, for one purpose and these parts alone.
func (t *Tokens) derive(purpose string, parts ...string) string {
	mac := hmac.New(sha256.New, t.key)
	for _, part := range append([]string{"belfry", purpose}, parts...) {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // so that no two lists of parts run into one text
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// HintSecret is what nodes of one installation sign their hints to each other with.
func (t *Tokens) HintSecret() []byte { return []byte(t.derive("hint")) }

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
	token.Header["kid"] = t.kid
	return token.SignedString(t.key)
}

// parse checks signature, type, issuer and audience.
func (t *Tokens) parse(raw, typ string, parser *jwt.Parser) (*claims, bool) {
	var c claims
	token, err := parser.ParseWithClaims(raw, &c, func(token *jwt.Token) (any, error) {
		if token.Header["typ"] != typ || token.Header["kid"] != t.kid {
			return nil, jwt.ErrTokenUnverifiable
		}
		return t.key, nil
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
	name = sessionName{ID: c.Session, SecretHash: sha256.Sum256([]byte(c.ID))}
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
