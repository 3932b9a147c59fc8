package testoidc

import (
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// tokenLifetime is how long ID tokens and access tokens hold.
const tokenLifetime = 5 * time.Minute

// client is [Client] as the library asks about it.
type client struct{ of Client }

func (c client) GetID() string                        { return c.of.ID }
func (c client) RedirectURIs() []string               { return []string{c.of.RedirectURI} }
func (client) PostLogoutRedirectURIs() []string       { return nil }
func (client) ApplicationType() op.ApplicationType    { return op.ApplicationTypeWeb }
func (client) ResponseTypes() []oidc.ResponseType     { return []oidc.ResponseType{oidc.ResponseTypeCode} }
func (client) GrantTypes() []oidc.GrantType           { return []oidc.GrantType{oidc.GrantTypeCode} }
func (client) LoginURL(id string) string              { return "/login?" + url.Values{"id": {id}}.Encode() }
func (client) AccessTokenType() op.AccessTokenType    { return op.AccessTokenTypeBearer }
func (client) IDTokenLifetime() time.Duration         { return tokenLifetime }
func (client) DevMode() bool                          { return true } // http on loopback
func (client) IsScopeAllowed(string) bool             { return false }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return !c.of.ThinTokens }
func (client) ClockSkew() time.Duration               { return 0 }

func (c client) AuthMethod() oidc.AuthMethod {
	if c.of.Secret == "" {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (client) RestrictAdditionalIdTokenScopes() func([]string) []string { return unrestricted } //nolint:revive // the library's name

func (client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return unrestricted }

func unrestricted(scopes []string) []string { return scopes }
