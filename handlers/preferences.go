package handlers

import (
	"context"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

func (s *Server) getPreferences(ctx context.Context, _ *empty) (*answer[models.Preferences], error) {
	return respond(s.Preferences.Get(ctx, middleware.PrincipalOf(ctx).Live.User.ID))
}

func (s *Server) putPreferences(ctx context.Context, in *answer[models.Preferences]) (*answer[models.Preferences], error) {
	if err := s.Preferences.Replace(ctx, middleware.PrincipalOf(ctx).Live.User.ID, in.Body); err != nil {
		return nil, err
	}
	return in, nil
}

type patchProfileInput struct {
	Body struct {
		DisplayName string `json:"display_name" minLength:"1" maxLength:"100"`
	}
}

func (s *Server) patchProfile(ctx context.Context, in *patchProfileInput) (*answer[services.SessionUser], error) {
	user, err := s.Users.Rename(ctx, middleware.PrincipalOf(ctx).Live.User.Username, in.Body.DisplayName)
	if err != nil {
		return nil, err
	}
	return answered(services.SessionUserOf(user)), nil
}
