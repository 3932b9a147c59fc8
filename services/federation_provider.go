package services

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"belfry/models"
)

const (
	providerTimeout = 5 * time.Second // of one request to the provider
	providerRetry   = 5 * time.Second // how long a client is asked to wait for a provider that does not answer
	maxProviderBody = 1 << 20         // bytes of an answer that are read
	discoveryAge    = time.Hour       // after it the provider is asked anew what it offers, and for its keys
)

// Limits of what a provider says of somebody, in bytes. A subject has 255 ASCII characters at most (OpenID Connect Core §2).
const maxIdentifier = 255

// asymmetric are the signatures that are believed. With a shared key the client's secret would do to make a token, and
// "none" is none (RFC 8725 §3.1, §3.2).
var asymmetric = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// provider is what was discovered about one (OpenID Connect Discovery 1.0).
type provider struct {
	*oidc.Provider
	oauth  oauth2.Config
	keys   *oidc.RemoteKeySet
	algs   []string
	readAt time.Time // by this node's clock
}

// discover gives the provider, asking it when this node does not know it yet. One that is away is asked again at the
// next call; one that was there once is asked anew beside the request.
func (f *Federation) discover(ctx context.Context) (*provider, error) {
	known := f.provider.Load()
	if known != nil && time.Since(known.readAt) < discoveryAge {
		return known, nil
	}
	asked := f.asking.DoChan("", f.ask)
	if known != nil {
		return known, nil
	}
	select {
	case answer := <-asked:
		if answer.Err != nil {
			return nil, errProviderAway(answer.Err)
		}
		return answer.Val.(*provider), nil
	case <-ctx.Done():
		return nil, errProviderAway(ctx.Err())
	}
}

func errProviderAway(cause error) error {
	return &models.Error{Code: models.CodeUnavailable, Detail: "The provider that you sign in at does not answer; try again.", RetryAfter: providerRetry, Err: cause}
}

// ask reads what the provider offers. It is no request's own, for others wait for the answer too.
func (f *Federation) ask() (any, error) {
	ctx := oidc.ClientContext(context.Background(), f.http)
	found, err := oidc.NewProvider(ctx, f.settings.Issuer)
	if err != nil {
		return nil, err
	}
	var offers struct {
		Keys        string   `json:"jwks_uri"`
		Algorithms  []string `json:"id_token_signing_alg_values_supported"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&offers); err != nil {
		return nil, err
	}
	p := &provider{Provider: found, keys: oidc.NewRemoteKeySet(ctx, offers.Keys), readAt: time.Now(),
		algs: slices.DeleteFunc(offers.Algorithms, func(alg string) bool { return !slices.Contains(asymmetric, alg) }),
		oauth: oauth2.Config{ClientID: f.settings.ClientID, ClientSecret: f.settings.ClientSecret, Endpoint: found.Endpoint(),
			RedirectURL: f.settings.RedirectURL, Scopes: []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail}}}
	// Said and not tried out, because a code is used up by a try. Where nothing is said it is "basic" (Discovery §3).
	p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	basic := len(offers.AuthMethods) == 0 || slices.Contains(offers.AuthMethods, "client_secret_basic")
	if f.settings.ClientSecret == "" || !basic {
		p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	f.provider.Store(p)
	return p, nil
}

// boundedTransport reads no more of an answer than a provider can have to say.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxProviderBody), resp.Body}
	}
	return resp, err
}

// keySet remembers why the provider's keys could not be had: the verifier's own error does not say whether it was that, or
// the signature.
type keySet struct {
	oidc.KeySet
	away error
}

// unfetched is how the library's errors begin where it asked for keys and got none. A provider that restarts behind a proxy
// answers too, with 502, so what kind of fault lies beneath tells nothing.
const unfetched = "fetching keys "

func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, token)
	if err != nil && strings.HasPrefix(err.Error(), unfetched) {
		k.away = err
	}
	return payload, err
}

// verify runs one of the verifier's checks at a moment of the database's clock. A token that cannot be believed is refused
// with errNoToken.
func verify[T any](f *Federation, p *provider, now models.Instant, check func(*oidc.IDTokenVerifier) (T, error)) (T, error) {
	keys := &keySet{KeySet: p.keys}
	config := &oidc.Config{ClientID: f.settings.ClientID, SupportedSigningAlgs: p.algs, Now: now.Time}
	token, err := check(oidc.NewVerifier(f.settings.Issuer, keys, config))
	switch {
	case err == nil:
		return token, nil
	case keys.away != nil:
		return token, errProviderAway(keys.away)
	default:
		return token, fmt.Errorf("%w: %w", errNoToken, err)
	}
}

var errNoToken = errors.New("a token that cannot be believed")

// federatedIdentity is who somebody is at the provider, and how they proved it.
type federatedIdentity struct {
	subject  string
	session  string // sid; empty where the provider gives none
	username string // by the claim that the settings name; empty when there is none that can be relied on
	name     string
	authTime time.Time // zero when it is not told
}

// exchange turns a code into who signed in. A refusal by the provider, or a token that is not what was asked for, is errNoToken.
func (f *Federation) exchange(ctx context.Context, p *provider, code string, kept *begun) (*federatedIdentity, error) {
	ctx = oidc.ClientContext(ctx, f.http)
	token, err := p.oauth.Exchange(ctx, code, oauth2.VerifierOption(kept.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response.StatusCode < http.StatusInternalServerError {
		return nil, fmt.Errorf("%w: the provider refused the code: %q", errNoToken, refused.ErrorCode) // no more of it, for it may repeat the code
	}
	if err != nil {
		return nil, errProviderAway(errors.New("no token came for a code")) // the cause may hold the answer
	}
	now, err := f.db.clock(ctx)
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := verify(f, p, now, func(v *oidc.IDTokenVerifier) (*oidc.IDToken, error) { return v.Verify(ctx, raw) })
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	if err := verified.Claims(&claims); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoToken, err)
	}
	if !sameText(verified.Nonce, kept.Nonce) {
		return nil, fmt.Errorf("%w: another nonce", errNoToken)
	}
	if party, there := claims["azp"]; (there || len(verified.Audience) > 1) && party != f.settings.ClientID {
		return nil, fmt.Errorf("%w: made for another party", errNoToken)
	}
	if _, there := claims[f.settings.UsernameClaim]; !there && p.UserInfoEndpoint() != "" {
		if err := f.complete(ctx, p, token, verified.Subject, claims); err != nil {
			return nil, err
		}
	}
	return f.identify(verified.Subject, claims)
}

// complete adds what the provider tells of a person at its userinfo endpoint alone. The answer has to be about the same
// person (OpenID Connect Core §5.3.2).
func (f *Federation) complete(ctx context.Context, p *provider, token *oauth2.Token, subject string, claims map[string]any) error {
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return errProviderAway(errors.New("the userinfo endpoint did not answer as it should"))
	}
	if info.Subject != subject {
		return fmt.Errorf("%w: userinfo of somebody else", errNoToken)
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("%w: %w", errNoToken, err)
	}
	// What a provider says of an address holds for the one that it says with it (OpenID Connect Core §5.1).
	if _, there := claims["email"]; !there {
		delete(claims, "email_verified")
	}
	for name, value := range more {
		if _, there := claims[name]; !there {
			claims[name] = value
		}
	}
	return nil
}

// identify reads the claims that matter here.
func (f *Federation) identify(subject string, claims map[string]any) (*federatedIdentity, error) {
	who := &federatedIdentity{subject: subject}
	who.session, _ = claims["sid"].(string)
	if who.subject == "" || !storable(who.subject) || !storable(who.session) {
		return nil, fmt.Errorf("%w: no subject that can be kept", errNoToken)
	}
	who.name, _ = claims["name"].(string)
	who.username, _ = claims[f.settings.UsernameClaim].(string)
	if f.settings.UsernameClaim == "email" && claims["email_verified"] != true && claims["email_verified"] != "true" {
		who.username = "" // anybody can claim an address
	}
	if seconds, ok := claims["auth_time"].(float64); ok {
		who.authTime = time.Unix(int64(seconds), 0)
	}
	return who, nil
}

func storable(text string) bool { return len(text) <= maxIdentifier && !strings.ContainsRune(text, 0) }

// typOf reads the type in a token's header; empty where there is none. The signature is not looked at.
func typOf(token string) string {
	var header struct {
		Type string `json:"typ"`
	}
	head, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(raw, &header) != nil {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(header.Type), "application/")
}
