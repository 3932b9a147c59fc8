package handlers

import (
	"context"

	"belfry/models"
	"belfry/services"
)

type resetView struct {
	URL       string         `json:"url" doc:"For the person alone; shown this once"`
	ExpiresAt models.Instant `json:"expires_at" format:"date-time"`
}

func (s *Server) makeReset(ctx context.Context, in *userPath) (*answer[resetView], error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	reset, err := s.Users.MakeReset(ctx, in.Username)
	if err != nil {
		return nil, err
	}
	return answered(resetView{URL: reset.URL(s.PublicURL), ExpiresAt: reset.ExpiresAt}), nil
}

type resetInput struct {
	Body struct {
		Token string `json:"token" maxLength:"256"`
		New   string `json:"new" maxLength:"1024"`
	}
}

func (s *Server) resetPassword(ctx context.Context, in *resetInput) (*empty, error) {
	return nil, s.Sessions.ResetPassword(ctx, in.Body.Token, in.Body.New, services.ClientOf(ctx))
}
