package testoidc

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// LogoutEvent is the member of "events" that makes a token a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4).
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// channelTimeout bounds one call of the back channel.
const channelTimeout = 5 * time.Second

// key signs tokens.
type key struct {
	id      string
	private *rsa.PrivateKey
}

func (k *key) ID() string                                { return k.id }
func (*key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k *key) Key() any                                  { return k.private }

// publicKey is what everybody may know of one.
type publicKey struct{ of *key }

func (k publicKey) ID() string                       { return k.of.id }
func (publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                         { return k.of.private.Public() }

// Rotate signs with a new key from now on. The old ones are no longer published.
func (p *Provider) Rotate() error {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = []*key{{id: rand.Text(), private: private}}
	return nil
}

func (p *Provider) signing() *key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[0]
}

// PublicKey is the one that tokens are verified with.
func (p *Provider) PublicKey() crypto.PublicKey { return p.signing().private.Public() }

// KeyID is its name.
func (p *Provider) KeyID() string { return p.signing().id }

// LogoutClaims are those of a good logout token. An empty subject or session is left out.
func (p *Provider) LogoutClaims(subject, session string) map[string]any {
	now := time.Now()
	claims := map[string]any{"iss": p.issuer, "aud": p.client.ID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": rand.Text(), "events": map[string]any{LogoutEvent: map[string]any{}}}
	if subject != "" {
		claims["sub"] = subject
	}
	if session != "" {
		claims["sid"] = session
	}
	return claims
}

// Sign makes a token of the claims. An empty typ is left out of its header.
func (p *Provider) Sign(typ string, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	k, options := p.signing(), &jose.SignerOptions{}
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, options)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// SignOut ends the sessions of a person here, and tells the client of each.
func (p *Provider) SignOut(subject string) error {
	p.mu.Lock()
	var ended []string
	for name, s := range p.sessions {
		if s.subject == subject {
			ended = append(ended, s.id)
			delete(p.sessions, name)
		}
	}
	p.mu.Unlock()
	var faults []error
	for _, id := range ended {
		faults = append(faults, p.tell(p.LogoutClaims(subject, id)))
	}
	return errors.Join(faults...)
}

// tell sends one logout token by the back channel.
func (p *Provider) tell(claims map[string]any) error {
	p.mu.Lock()
	to := p.client.LogoutURI
	p.mu.Unlock()
	if to == "" {
		return nil
	}
	token, err := p.Sign("logout+jwt", claims)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), channelTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("testoidc: the client answered %d", resp.StatusCode)
	}
	return nil
}

var list = template.Must(template.New("people").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>People at the provider</title></head>
<body><main><h1>People at the provider</h1>
{{if .Said}}<p role="status">{{.Said}}</p>{{end}}
{{range .Users}}<form method="post" action="/people"><p>{{.Username}}
<button name="username" value="{{.Username}}">Sign {{.Username}} out everywhere</button></p></form>{{end}}
</main></body></html>
`))

// people shows who has an account, and offers to sign each of them out.
func (p *Provider) people(w http.ResponseWriter, _ *http.Request) { p.show(w, http.StatusOK, "") }

func (p *Provider) signOut(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	u, found := p.named(r.PostFormValue("username"))
	p.mu.Unlock()
	if !found {
		p.show(w, http.StatusNotFound, "There is nobody of this name.")
		return
	}
	if err := p.SignOut(u.Subject); err != nil {
		p.show(w, http.StatusBadGateway, err.Error())
		return
	}
	p.show(w, http.StatusOK, "Signed "+u.Username+" out everywhere.")
}

func (p *Provider) show(w http.ResponseWriter, status int, said string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var page bytes.Buffer
	if err := list.Execute(&page, map[string]any{"Users": p.users, "Said": said}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // whether it arrives or not
}
