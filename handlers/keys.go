package handlers

import (
	"context"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// KeyView is a key without its secret. It is exported because huma passes over embedded structs that
// are not.
type KeyView struct {
	ID        int64           `json:"id"`
	Name      string          `json:"name"`
	Scopes    []models.Scope  `json:"scopes"`
	CreatedAt models.Instant  `json:"created_at" format:"date-time"`
	ExpiresAt *models.Instant `json:"expires_at" format:"date-time"`
}

func viewOfKey(k *models.Key) KeyView {
	return KeyView{ID: k.ID, Name: k.Name, Scopes: k.Scopes(), CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt}
}

func (s *Server) listKeys(ctx context.Context, _ *empty) (*answer[items[KeyView]], error) {
	keys, err := s.Keys.List(ctx)
	if err != nil {
		return nil, err
	}
	list := items[KeyView]{Items: make([]KeyView, len(keys))}
	for i := range keys {
		list.Items[i] = viewOfKey(&keys[i])
	}
	return answered(list), nil
}

type createKeyInput struct {
	OnceInput
	Body struct {
		Name      string         `json:"name"`
		Scopes    []models.Scope `json:"scopes" maxItems:"10"`
		ExpiresAt *string        `json:"expires_at,omitempty" format:"date-time" nullable:"true"`
	}
}

type newKeyView struct {
	KeyView
	Key string `json:"key" doc:"The secret; shown this once"`
}

func (s *Server) createKey(ctx context.Context, in *createKeyInput) (*created[newKeyView], error) {
	if err := s.mayMakeKey(ctx, middleware.PrincipalOf(ctx), in.Body.Scopes); err != nil {
		return nil, err
	}
	expires, err := instant(in.Body.ExpiresAt, "expires_at")
	if err != nil {
		return nil, err
	}
	once, err := in.repeatable(ctx, "POST /keys")
	if err != nil {
		return nil, err
	}
	key, err := s.Keys.CreateOnce(ctx, s.Tokens, in.Body.Name, in.Body.Scopes, expires, once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(newKeyView{KeyView: viewOfKey(&key.Key), Key: key.Secret}, key.Replayed), nil
}

// mayMakeKey: a user proves the password first; a key hands on no more than it has.
func (s *Server) mayMakeKey(ctx context.Context, p *services.Principal, scopes []models.Scope) error {
	if p.Key == nil {
		return s.Sessions.RequireProof(ctx, p.Live)
	}
	for _, scope := range scopes {
		if !p.Key.Has(scope) {
			return models.Errorf(models.CodeForbidden, "A key makes keys of its own scopes only.")
		}
	}
	return nil
}

func (s *Server) revokeKey(ctx context.Context, in *idPath) (*empty, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	if p := middleware.PrincipalOf(ctx); p.Live != nil {
		if err := s.Sessions.RequireProof(ctx, p.Live); err != nil {
			return nil, err
		}
	}
	return nil, s.Keys.Revoke(ctx, id)
}
