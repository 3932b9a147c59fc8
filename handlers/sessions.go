package handlers

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// withCookie is an answer that gives the browser a session's cookie, or takes it away.
type withCookie struct {
	SetCookie string `header:"Set-Cookie"`
	Body      services.SessionView
}

type cookieOnly struct {
	SetCookie string `header:"Set-Cookie"`
}

// cookie makes the session's cookie. It has no expiry: the browser forgets it when it closes, and the
// server does not rely on that.
func (s *Server) cookie(value string) string { return s.setCookie(value, 0) }

// expired takes the cookie away, by its own name.
func (s *Server) expired() string { return s.setCookie("", -1) }

func (s *Server) setCookie(value string, maxAge int) string {
	c := &http.Cookie{Name: s.cookies().Name(), Value: value, Path: "/", MaxAge: maxAge, Secure: s.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode} //nolint:gosec // Secure follows PUBLIC_URL: over plain http a browser would drop it
	return c.String()
}

func (s *Server) session(l *services.Live) services.SessionView { return s.Sessions.View(l, true) }

type loginInput struct {
	Body struct {
		Username string `json:"username" maxLength:"256"`
		Password string `json:"password" maxLength:"1024"`
		Code     string `json:"code,omitempty" maxLength:"64" doc:"Of the authenticator app, or a recovery code; spaces and dashes do not matter. Where it is needed and missing the refusal is second_factor_required"`
	}
}

func (s *Server) login(ctx context.Context, in *loginInput) (*withCookie, error) {
	return s.proved(s.Sessions.Login(ctx, services.Credentials{Username: in.Body.Username, Password: in.Body.Password, Code: in.Body.Code},
		services.ClientOf(ctx), middleware.PrincipalOf(ctx).Live))
}

// proved answers a sign-in or an unlock, whichever the proof was. Where the session's cookie is still good there is no new one.
func (s *Server) proved(live *services.Live, cookie string, err error) (*withCookie, error) {
	if err != nil {
		return nil, err
	}
	out := &withCookie{Body: s.session(live)}
	if cookie != "" {
		out.SetCookie = s.cookie(cookie)
	}
	return out, nil
}

type logoutOutput struct {
	SetCookie     string `header:"Set-Cookie"`
	ClearSiteData string `header:"Clear-Site-Data"`
}

func (s *Server) logout(ctx context.Context, _ *empty) (*logoutOutput, error) {
	if err := s.Sessions.Logout(ctx, middleware.PrincipalOf(ctx).Live); err != nil {
		return nil, err
	}
	// Never "cookies": that would sign the user out of sibling hosts too.
	return &logoutOutput{SetCookie: s.expired(), ClearSiteData: `"cache", "storage"`}, nil
}

func (s *Server) getSession(ctx context.Context, _ *empty) (*answer[services.SessionView], error) {
	return answered(s.session(middleware.PrincipalOf(ctx).Live)), nil
}

type checkOutput struct {
	User string `header:"X-Belfry-User"`
}

// checkSession answers a proxy that asks whether to let a request through: the status is for the proxy,
// the state for whoever wants to tell a lock from a missing sign-in.
func (s *Server) checkSession(ctx context.Context, _ *empty) (*checkOutput, error) {
	live := middleware.PrincipalOf(ctx).Live
	if live != nil && live.Verdict.State == models.SessionActive {
		return &checkOutput{User: live.User.Username}, nil
	}
	state := "none"
	if live != nil {
		state = string(live.Verdict.State)
	}
	return nil, huma.ErrorWithHeaders(errNotActive, http.Header{"X-Belfry-State": {state}})
}

var errNotActive = models.Errorf(models.CodeUnauthenticated, "There is no active session.")

func (s *Server) touchSession(ctx context.Context, _ *empty) (*answer[services.SessionView], error) {
	live, err := s.Sessions.Touch(ctx, middleware.PrincipalOf(ctx).Live, true)
	if err != nil {
		return nil, err
	}
	return answered(s.session(live)), nil
}

func (s *Server) lockSession(ctx context.Context, _ *empty) (*answer[services.SessionView], error) {
	live := middleware.PrincipalOf(ctx).Live
	locked, err := s.Sessions.Lock(ctx, live, live.ID)
	if err != nil {
		return nil, err
	}
	return answered(s.session(locked)), nil
}

type passwordInput struct {
	Body struct {
		Password string `json:"password" maxLength:"1024"`
	}
}

func (s *Server) unlockSession(ctx context.Context, in *passwordInput) (*withCookie, error) {
	return s.proved(s.Sessions.Unlock(ctx, middleware.PrincipalOf(ctx).Live, in.Body.Password))
}

func (s *Server) reauthenticate(ctx context.Context, in *passwordInput) (*empty, error) {
	return nil, s.Sessions.Reauthenticate(ctx, middleware.PrincipalOf(ctx).Live, in.Body.Password)
}

type newPasswordInput struct {
	Body struct {
		Current string `json:"current" maxLength:"1024"`
		New     string `json:"new" maxLength:"1024"`
	}
}

func (s *Server) changePassword(ctx context.Context, in *newPasswordInput) (*cookieOnly, error) {
	cookie, err := s.Sessions.ChangePassword(ctx, middleware.PrincipalOf(ctx).Live, in.Body.Current, in.Body.New)
	if err != nil {
		return nil, err
	}
	return &cookieOnly{SetCookie: s.cookie(cookie)}, nil
}

func (s *Server) listSessions(ctx context.Context, _ *empty) (*answer[items[services.SessionView]], error) {
	own := middleware.PrincipalOf(ctx).Live
	lives, err := s.Sessions.List(ctx, own.UserID)
	if err != nil {
		return nil, err
	}
	return answered(s.sessionsOf(lives, own.ID)), nil
}

type allSessionsInput struct {
	Q string `query:"q" maxLength:"100" doc:"A part of whose they are, by user name or name shown, in any case"`
	PageInput
}

func (s *Server) listAllSessions(ctx context.Context, in *allSessionsInput) (*answer[items[services.SessionView]], error) {
	lives, err := s.Sessions.ListAll(ctx, in.Q, in.Before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := s.sessionsOf(lives[:min(len(lives), in.Limit)], ownSession(ctx))
	if len(lives) > in.Limit {
		list.Next = &lives[in.Limit-1].ID
	}
	return answered(list), nil
}

// sessionsOf shows sessions to the caller, whose own is marked.
func (s *Server) sessionsOf(lives []*services.Live, own string) items[services.SessionView] {
	list := items[services.SessionView]{Items: make([]services.SessionView, len(lives))}
	for i, l := range lives {
		list.Items[i] = s.Sessions.View(l, l.ID == own)
	}
	return list
}

func (s *Server) lockAnySession(ctx context.Context, in *sessionPath) (*answer[services.SessionView], error) {
	locked, err := s.Sessions.LockAny(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answered(s.Sessions.View(locked, locked.ID == ownSession(ctx))), nil
}

func (s *Server) endAnySession(ctx context.Context, in *sessionPath) (*empty, error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Sessions.EndAny(ctx, in.ID)
}

type sessionPath struct {
	ID string `path:"id"`
}

func (s *Server) lockOwnSession(ctx context.Context, in *sessionPath) (*answer[services.SessionView], error) {
	own := middleware.PrincipalOf(ctx).Live
	locked, err := s.Sessions.Lock(ctx, own, in.ID)
	if err != nil {
		return nil, err
	}
	return answered(s.Sessions.View(locked, locked.ID == own.ID)), nil
}

func (s *Server) endOwnSession(ctx context.Context, in *sessionPath) (*cookieOnly, error) {
	own := middleware.PrincipalOf(ctx).Live
	if err := s.Sessions.End(ctx, own, in.ID); err != nil {
		return nil, err
	}
	out := &cookieOnly{}
	if in.ID == own.ID {
		out.SetCookie = s.expired()
	}
	return out, nil
}

func (s *Server) endOtherSessions(ctx context.Context, _ *empty) (*empty, error) {
	return nil, s.Sessions.EndOthers(ctx, middleware.PrincipalOf(ctx).Live)
}

func (s *Server) mintTicket(ctx context.Context, _ *empty) (*answer[services.Minted], error) {
	return respond(s.Sessions.Ticket(middleware.PrincipalOf(ctx).Live))
}

type userPath struct {
	Username string `path:"username"`
}

func (s *Server) mintTicketFor(ctx context.Context, in *userPath) (*answer[services.Minted], error) {
	return respond(s.Keys.TicketFor(ctx, s.Tokens, middleware.PrincipalOf(ctx).Key, in.Username))
}

type countBody struct {
	Count int `json:"count"`
}

func (s *Server) lockUserSessions(ctx context.Context, in *userPath) (*answer[countBody], error) {
	n, err := s.Sessions.LockUser(ctx, in.Username)
	return respond(countBody{Count: n}, err)
}

// lockEverySession locks everybody out of their pages, but not the admin who does it.
func (s *Server) lockEverySession(ctx context.Context, _ *empty) (*answer[countBody], error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	n, err := s.Sessions.LockEveryone(ctx, ownSession(ctx))
	return respond(countBody{Count: n}, err)
}

func (s *Server) endEverySession(ctx context.Context, _ *empty) (*empty, error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Sessions.EndEveryone(ctx, ownSession(ctx))
}

// ownSession is the id of the caller's session; empty for a key, which has none.
func ownSession(ctx context.Context) string {
	if live := middleware.PrincipalOf(ctx).Live; live != nil {
		return live.ID
	}
	return ""
}

// requireProof asks a user for a fresh proof. A key has none to give: whoever has it has it.
func (s *Server) requireProof(ctx context.Context) error {
	if live := middleware.PrincipalOf(ctx).Live; live != nil {
		return s.Sessions.RequireProof(ctx, live)
	}
	return nil
}

func (s *Server) endUserSessions(ctx context.Context, in *userPath) (*empty, error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Sessions.EndUser(ctx, in.Username)
}
