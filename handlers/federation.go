package handlers

import (
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// form is how a browser, or a provider, posts what is no JSON.
const form = "application/x-www-form-urlencoded"

// awayInput brings the cookie of a sign-in that is under way already, if any.
type awayInput struct {
	Cookie string `header:"Cookie" hidden:"true"`
}

type awayBody struct {
	URL string `json:"url" doc:"Where the browser is to go: at the provider"`
}

type awayOutput struct {
	SetCookie string `header:"Set-Cookie"`
	Body      awayBody
}

// federationCookie binds a sign-in at the provider to the browser that began it.
func (s *Server) federationCookie() string { return s.cookies().Name() + "-oidc" }

// browserOf finds its value among the cookies of a request.
func (s *Server) browserOf(header string) string {
	cookies, err := http.ParseCookie(header)
	if err != nil {
		return ""
	}
	for _, c := range cookies {
		if c.Name == s.federationCookie() {
			return c.Value
		}
	}
	return ""
}

// away sends a browser to the provider. Lax, or the cookie would not come back with the page that the provider sends it to.
func (s *Server) away(in *awayInput, begin func(f *services.Federation, browser string) (*services.Redirection, error)) (*awayOutput, error) {
	if s.Federation == nil {
		return nil, models.ErrNotFound
	}
	away, err := begin(s.Federation, s.browserOf(in.Cookie))
	if err != nil {
		return nil, err
	}
	c := &http.Cookie{Name: s.federationCookie(), Value: away.Browser, Path: "/", MaxAge: int(services.FederationLifetime.Seconds()), Secure: s.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode} //nolint:gosec // Secure follows PUBLIC_URL: over plain http a browser would drop it
	return &awayOutput{SetCookie: c.String(), Body: awayBody{URL: away.URL}}, nil
}

func (s *Server) beginFederatedLogin(ctx context.Context, in *awayInput) (*awayOutput, error) {
	return s.away(in, func(f *services.Federation, browser string) (*services.Redirection, error) {
		return f.Login(ctx, browser)
	})
}

func (s *Server) beginFederatedUnlock(ctx context.Context, in *awayInput) (*awayOutput, error) {
	return s.away(in, func(f *services.Federation, browser string) (*services.Redirection, error) {
		return f.Unlock(ctx, middleware.PrincipalOf(ctx).Live, browser)
	})
}

func (s *Server) beginFederatedReauthentication(ctx context.Context, in *awayInput) (*awayOutput, error) {
	return s.away(in, func(f *services.Federation, browser string) (*services.Redirection, error) {
		return f.Reauthenticate(ctx, middleware.PrincipalOf(ctx).Live, browser)
	})
}

type returnedInput struct {
	Cookie string `header:"Cookie" hidden:"true"`
	Body   struct {
		Code  string `json:"code" maxLength:"4096" doc:"As the provider gave it to the page"`
		State string `json:"state" maxLength:"128"`
	}
}

// finishFederated does what was begun. The cookie of the sign-in stays: it may be that of another, in another tab.
func (s *Server) finishFederated(ctx context.Context, in *returnedInput) (*withCookie, error) {
	if s.Federation == nil {
		return nil, models.ErrNotFound
	}
	return s.proved(s.Federation.Finish(ctx, services.Returned{Code: in.Body.Code, State: in.Body.State, Browser: s.browserOf(in.Cookie),
		Client: services.ClientOf(ctx), Live: middleware.PrincipalOf(ctx).Live}))
}

func (s *Server) unlinkIdentity(ctx context.Context, in *userPath) (*empty, error) {
	if s.Federation == nil {
		return nil, models.ErrNotFound
	}
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Federation.Unlink(ctx, in.Username)
}

type logoutTokenInput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
}

var errNotForm = models.Errorf(models.CodeUnsupportedMedia, "Send "+form+".")

// backchannelRoute registers the one route that a provider calls, by a form. A refusal of what it sends is 400, as
// OpenID Connect Back-Channel Logout 1.0 §2.8 has it.
func (s *Server) backchannelRoute(api huma.API, rule middleware.Rule, path string) {
	route(s, api, rule, http.MethodPost, path, func(ctx context.Context, in *logoutTokenInput) (*empty, error) {
		if s.Federation == nil {
			return nil, models.ErrNotFound
		}
		if mediaType(in.ContentType) != form {
			return nil, errNotForm
		}
		values, err := url.ParseQuery(string(middleware.RawBody(ctx)))
		if err != nil || len(values["logout_token"]) != 1 {
			return nil, huma.NewError(http.StatusBadRequest, "")
		}
		return &empty{}, s.Federation.Logout(ctx, values.Get("logout_token"))
	})
	fields := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"logout_token": {Type: huma.TypeString}}, Required: []string{"logout_token"}}
	api.OpenAPI().Paths[path].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{form: {Schema: fields}}}
}
