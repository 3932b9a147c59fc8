package testoidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// SignIn is what the provider says of one sign-in.
type SignIn struct {
	Subject   string
	SessionID string
	Nonce     string
	AuthTime  time.Time // when the password was given; the zero time is not told
}

// request is a sign-in that the client asked for.
type request struct {
	SignIn
	id        string
	asked     oidc.AuthRequest
	completed bool
}

func (r *request) GetID() string          { return r.id }
func (*request) GetACR() string           { return "" }
func (*request) GetAMR() []string         { return []string{"pwd"} }
func (r *request) GetAudience() []string  { return []string{r.asked.ClientID} }
func (r *request) GetAuthTime() time.Time { return r.AuthTime }
func (r *request) GetClientID() string    { return r.asked.ClientID }
func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.asked.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.asked.CodeChallenge, Method: r.asked.CodeChallengeMethod}
}
func (r *request) GetNonce() string                   { return r.Nonce }
func (r *request) GetRedirectURI() string             { return r.asked.RedirectURI }
func (r *request) GetResponseType() oidc.ResponseType { return r.asked.ResponseType }
func (r *request) GetResponseMode() oidc.ResponseMode { return r.asked.ResponseMode }
func (r *request) GetScopes() []string                { return r.asked.Scopes }
func (r *request) GetState() string                   { return r.asked.State }
func (r *request) GetSubject() string                 { return r.Subject }
func (r *request) Done() bool                         { return r.completed }

// storage is what the library keeps its data in.
type storage struct{ *Provider }

var (
	errUnknown = errors.New("testoidc: unknown")
	errNotHere = errors.New("testoidc: not offered here")
)

func (s *storage) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &request{SignIn: SignIn{Nonce: asked.Nonce}, id: rand.Text(), asked: *asked}
	s.requests[r.id] = r
	return r, nil
}

func (s *storage) request(id string) (op.AuthRequest, error) {
	if r, known := s.requests[id]; known {
		return r, nil
	}
	return nil, errUnknown
}

func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.request(id)
}

func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.request(s.codes[code])
}

func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

// DeleteAuthRequest is how a code is used up.
func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

func (s *storage) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := rand.Text()
	s.tokens[id] = r.GetSubject()
	return id, time.Now().Add(tokenLifetime), nil
}

func (*storage) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, errNotHere
}

func (*storage) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errNotHere
}

// TerminateSession is a sign-out that the client asked for: it is told as any other.
func (s *storage) TerminateSession(_ context.Context, subject, _ string) error {
	return s.SignOut(subject)
}

func (*storage) RevokeToken(context.Context, string, string, string) *oidc.Error {
	return oidc.ErrUnsupportedGrantType()
}

func (*storage) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.signing(), nil }

func (*storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := make([]op.Key, len(s.keys))
	for i, k := range s.keys {
		set[i] = publicKey{k}
	}
	return set, nil
}

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != s.client.ID {
		return nil, errUnknown
	}
	return client{s.client}, nil
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != s.client.ID || subtle.ConstantTimeCompare([]byte(secret), []byte(s.client.Secret)) != 1 {
		return errUnknown
	}
	return nil
}

func (*storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil // SetUserinfoFromRequest does it
}

// SetUserinfoFromRequest says in an ID token who it is about.
func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.describe(info, r.GetSubject(), scopes)
	if of, ok := r.(*request); ok && of.SessionID != "" {
		info.AppendClaims("sid", of.SessionID)
	}
	return nil
}

// SetUserinfoFromToken is the userinfo endpoint.
func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, token, subject, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[token] != subject {
		return errUnknown
	}
	s.describe(info, subject, []string{oidc.ScopeProfile, oidc.ScopeEmail})
	return nil
}

func (s *storage) describe(info *oidc.UserInfo, subject string, scopes []string) {
	info.Subject = subject
	u, known := s.users[subject]
	if !known {
		return
	}
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.PreferredUsername, info.Name = u.Username, u.Name
	}
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = u.Email, oidc.Bool(u.EmailVerified)
	}
}

func (*storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotHere
}

func (*storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return map[string]any{}, nil
}

func (*storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotHere
}

func (*storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotHere
}

func (*storage) Health(context.Context) error { return nil }
