package handlers

import (
	"context"

	"belfry/middleware"
)

// SingleSignOn is the provider where people may sign in.
type SingleSignOn struct {
	Name string `json:"name"`
}

// loginWays says how one may sign in, beside a name and a password.
type loginWays struct {
	Passkeys     bool          `json:"passkeys"`
	SingleSignOn *SingleSignOn `json:"single_sign_on"`
}

func (s *Server) getLogin(context.Context, *empty) (*answer[loginWays], error) {
	ways := loginWays{Passkeys: s.Passkeys.On()}
	if s.Federation != nil {
		ways.SingleSignOn = &SingleSignOn{Name: s.Federation.Name()}
	}
	return answered(ways), nil
}

// unlockWays says how this session may be unlocked.
type unlockWays struct {
	Password     bool `json:"password"`
	Passkey      bool `json:"passkey"`
	SingleSignOn bool `json:"single_sign_on"`
}

func (s *Server) getUnlock(ctx context.Context, _ *empty) (*answer[unlockWays], error) {
	live := middleware.PrincipalOf(ctx).Live
	ways := unlockWays{Password: live.User.PasswordHash != ""}
	var err error
	if ways.Passkey, err = s.Passkeys.Has(ctx, live.UserID); err == nil && s.Federation != nil {
		ways.SingleSignOn, err = s.Federation.Linked(ctx, live.UserID)
	}
	return respond(ways, err)
}
