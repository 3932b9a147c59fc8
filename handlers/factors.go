package handlers

import (
	"context"

	"belfry/middleware"
	"belfry/services"
)

func (s *Server) getFactors(ctx context.Context, _ *empty) (*answer[services.FactorsView], error) {
	user := &middleware.PrincipalOf(ctx).Live.User
	view, err := s.Factors.Of(ctx, user)
	if err == nil && s.Federation != nil {
		view.SingleSignOn, err = s.Federation.Linked(ctx, user.ID)
	}
	return respond(view, err)
}

func (s *Server) beginTOTP(ctx context.Context, _ *empty) (*answer[services.NewTOTP], error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return respond(s.Factors.BeginTOTP(ctx, &middleware.PrincipalOf(ctx).Live.User))
}

type codeInput struct {
	Body struct {
		Code string `json:"code" maxLength:"64" doc:"What the app shows now; spaces and dashes do not matter"`
	}
}

type recoveryCodes struct {
	RecoveryCodes []string `json:"recovery_codes" doc:"Each signs in once in place of the app; shown this once"`
}

// confirmTOTP needs no fresh proof: the secret that is confirmed was shown for one.
func (s *Server) confirmTOTP(ctx context.Context, in *codeInput) (*answer[recoveryCodes], error) {
	codes, err := s.Factors.ConfirmTOTP(ctx, middleware.PrincipalOf(ctx).Live, in.Body.Code)
	if err != nil {
		return nil, err
	}
	return answered(recoveryCodes{codes}), nil
}

func (s *Server) disableTOTP(ctx context.Context, _ *empty) (*empty, error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Factors.DisableTOTP(ctx, &middleware.PrincipalOf(ctx).Live.User)
}

func (s *Server) renewRecoveryCodes(ctx context.Context, _ *empty) (*answer[recoveryCodes], error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	codes, err := s.Factors.RenewRecoveryCodes(ctx, &middleware.PrincipalOf(ctx).Live.User)
	if err != nil {
		return nil, err
	}
	return answered(recoveryCodes{codes}), nil
}

func (s *Server) removeFactors(ctx context.Context, in *userPath) (*empty, error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Sessions.RemoveFactors(ctx, in.Username)
}
