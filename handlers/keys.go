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
	LastUsed  *models.Instant `json:"last_used_at" format:"date-time" doc:"Up to a minute behind; null = never"`
	To        models.Target   `json:"to" doc:"For whom its notices are that come without recipients"`
	Rate      string          `json:"rate" doc:"How much it may publish; empty = no limit"`
	Category  string          `json:"category" doc:"That of its notices that name none; empty = none"`
	Hook      models.Hook     `json:"hook" enum:",github" doc:"Whose calls are signed for it; empty = nobody's"`
	Mapping   *models.Mapping `json:"mapping" doc:"How its calls are read as notices; null = not at all"`
}

func viewOfKey(k *models.Key) KeyView {
	to, _ := k.Target() // both were written by us
	mapping, _ := k.Mapping()
	return KeyView{To: to, Hook: k.Hook, Mapping: mapping, Rate: k.RateText, Category: k.Category, ID: k.ID, Name: k.Name, Scopes: k.Scopes(), CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, LastUsed: k.LastUsedAt}
}

func (s *Server) listKeys(ctx context.Context, _ *empty) (*answer[items[KeyView]], error) {
	keys, err := s.Keys.List(ctx)
	return respond(itemsOf(keys, viewOfKey), err)
}

type createKeyInput struct {
	OnceInput
	Body struct {
		Name      string         `json:"name"`
		Scopes    []models.Scope `json:"scopes" maxItems:"10"`
		ExpiresAt *string        `json:"expires_at,omitempty" format:"date-time" nullable:"true"`
		To        models.Target  `json:"to,omitempty" doc:"For whom its notices are that come without recipients, as those of Gotify and of webhooks do; at most 10 names"`
		Rate      string         `json:"rate,omitempty" doc:"How many notices it may publish on each node, evenly, as in 60/m; s, m or h; at most 1,000,000"`
		Category  string         `json:"category,omitempty" maxLength:"64" doc:"That of its notices that name none: what people can mute them by"`

		Hook    models.Hook     `json:"hook,omitempty" enum:",github" doc:"For calls that their sender signs because it cannot send a key; the answer has the secret for it"`
		Mapping *models.Mapping `json:"mapping,omitempty" doc:"How calls to /api/v1/hooks/custom are read as notices"`
	}
}

type newKeyView struct {
	KeyView
	Key        string `json:"key" doc:"The secret; shown this once"`
	HookSecret string `json:"hook_secret,omitempty" doc:"What calls are signed with, of a key with a hook; shown this once"`
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
	key, err := s.Keys.CreateOnce(ctx, s.Tokens, services.KeySpec{Name: in.Body.Name, Scopes: in.Body.Scopes, Expires: expires, To: in.Body.To, Rate: in.Body.Rate,
		Category: in.Body.Category, Hook: in.Body.Hook, Mapping: in.Body.Mapping}, once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(newKeyView{KeyView: viewOfKey(&key.Key), Key: key.Secret, HookSecret: key.HookSecret}, key.Replayed), nil
}

// mayMakeKey: a user proves the password first; a key hands on no more than it has.
func (s *Server) mayMakeKey(ctx context.Context, p *services.Principal, scopes []models.Scope) error {
	if p.Key == nil {
		return s.requireProof(ctx)
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
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Keys.Revoke(ctx, id)
}
