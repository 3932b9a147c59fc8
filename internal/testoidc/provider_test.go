package testoidc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"belfry/internal/testoidc"
)

const redirect = "http://localhost:8080/signed-in"

var anna = testoidc.User{Subject: "1", Username: "anna", Name: "Anna A.", Password: "secret", Email: "anna@example.org", EmailVerified: true}

// party is a client by another library, which holds the provider to the standard.
type party struct {
	*oidc.Provider
	oauth2.Config
	ctx context.Context
}

func begin(t *testing.T, p *testoidc.Provider, secret string) *party {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: transport})
	found, err := oidc.NewProvider(ctx, p.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	return &party{found, oauth2.Config{ClientID: "belfry", ClientSecret: secret, Endpoint: found.Endpoint(), RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}, ctx}
}

type claims struct {
	Subject  string `json:"sub"`
	Username string `json:"preferred_username"`
	Email    string `json:"email"`
	Session  string `json:"sid"`
	Nonce    string `json:"nonce"`
	AuthTime int64  `json:"auth_time"`
}

// signIn goes once around.
func (c *party) signIn(t *testing.T, b *testoidc.Browser, password string, options ...oauth2.AuthCodeOption) (claims, *oauth2.Token) {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	returned := b.SignIn(t, c.AuthCodeURL("the state", append(options, oidc.Nonce("the nonce"), oauth2.S256ChallengeOption(verifier))...), "anna", password)
	if returned.Get("state") != "the state" {
		t.Fatalf("returned with %v", returned)
	}
	if _, err := c.Exchange(c.ctx, returned.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("another verifier than that of the challenge was taken")
	}
	token, err := c.Exchange(c.ctx, returned.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := c.Verifier(&oidc.Config{ClientID: "belfry"}).Verify(c.ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var found claims
	if err := verified.Claims(&found); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exchange(c.ctx, returned.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
		t.Error("a code was taken twice")
	}
	return found, token
}

// TestSignIn: a browser that signed in before is let through, unless the client asks for more.
func TestSignIn(t *testing.T) {
	t.Parallel()
	p := testoidc.Start(t, testoidc.Client{ID: "belfry", Secret: "of the client", RedirectURI: redirect})
	p.Put(anna)
	c, b := begin(t, p, "of the client"), p.Browser(t)
	began := time.Now().Unix()
	first, _ := c.signIn(t, b, "secret")
	if first.Subject != "1" || first.Username != "anna" || first.Email != anna.Email || first.Session == "" || first.Nonce != "the nonce" || first.AuthTime < began {
		t.Errorf("signed in as %+v", first)
	}
	again, _ := c.signIn(t, b, "not asked for")
	if again != first {
		t.Errorf("the second time as %+v, the first as %+v", again, first)
	}
	for _, fresh := range []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0")} {
		address := c.AuthCodeURL("s", fresh, oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
		if returned, _ := b.Visit(t, address); returned != nil {
			t.Errorf("let through though the password was to be given: %v", returned)
		}
		if proved, _ := c.signIn(t, b, "secret", fresh); proved.Session != first.Session || proved.AuthTime < first.AuthTime {
			t.Errorf("proved as %+v, was %+v", proved, first)
		}
	}
	if other, _ := c.signIn(t, p.Browser(t), "secret"); other.Session == first.Session {
		t.Error("two browsers have one session")
	}
}

// TestThinTokens: the userinfo endpoint tells what the ID token does not; a public client needs no secret.
func TestThinTokens(t *testing.T) {
	t.Parallel()
	p := testoidc.Start(t, testoidc.Client{ID: "belfry", RedirectURI: redirect, ThinTokens: true})
	p.Put(anna)
	c := begin(t, p, "")
	found, token := c.signIn(t, p.Browser(t), "secret")
	if found.Username != "" || found.Session == "" {
		t.Errorf("the ID token tells %+v", found)
	}
	info, err := c.UserInfo(c.ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		t.Fatal(err)
	}
	if err := info.Claims(&found); err != nil || found.Username != "anna" || info.Subject != "1" {
		t.Errorf("the endpoint tells %+v, %v", found, err)
	}
}

// TestSignOut: the client is told of each session, by a token that another library takes for one.
func TestSignOut(t *testing.T) {
	t.Parallel()
	told := make(chan string, 2)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.PostFormValue("logout_token") }))
	t.Cleanup(receiver.Close)
	p := testoidc.Start(t, testoidc.Client{ID: "belfry", Secret: "of the client", RedirectURI: redirect, LogoutURI: receiver.URL})
	p.Put(anna)
	c, b := begin(t, p, "of the client"), p.Browser(t)
	signedIn, _ := c.signIn(t, b, "secret")
	resp, err := http.PostForm(p.Issuer()+"/people", url.Values{"username": {"anna"}})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	token, err := c.Verifier(&oidc.Config{ClientID: "belfry"}).VerifyLogout(c.ctx, <-told)
	if err != nil || token.SessionID != signedIn.Session || token.Subject != "1" {
		t.Errorf("told %+v, %v", token, err)
	}
	if returned, _ := b.Visit(t, c.AuthCodeURL("s")); returned != nil {
		t.Error("the provider still knows the browser")
	}
	if err := p.Rotate(); err != nil {
		t.Fatal(err)
	}
	if after, _ := c.signIn(t, b, "secret"); after.Session == signedIn.Session {
		t.Error("a new sign-in has the old session")
	}
}
