package handlers

import (
	"context"
	"encoding/json"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// PasskeyView is a passkey as its person sees it.
type PasskeyView struct {
	ID         int64           `json:"id"`
	Name       string          `json:"name"`
	CreatedAt  models.Instant  `json:"created_at" format:"date-time"`
	LastUsedAt *models.Instant `json:"last_used_at" format:"date-time"`
}

func viewOfPasskey(k *models.Passkey) PasskeyView {
	return PasskeyView{ID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt, LastUsedAt: k.LastUsedAt}
}

func (s *Server) listPasskeys(ctx context.Context, _ *empty) (*answer[items[PasskeyView]], error) {
	keys, err := s.Passkeys.List(ctx, middleware.PrincipalOf(ctx).Live.UserID)
	return respond(itemsOf(keys, viewOfPasskey), err)
}

// ceremonyView is what the page gives to the browser, and hands back the name of.
type ceremonyView struct {
	Ceremony string         `json:"ceremony" doc:"Goes back with what the browser answers; once, within 5 minutes"`
	Options  map[string]any `json:"options" doc:"For PublicKeyCredential.parseCreationOptionsFromJSON or parseRequestOptionsFromJSON (W3C Web Authentication)"`
}

func begun(b services.Begun, err error) (*answer[ceremonyView], error) {
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(b.Options)
	if err != nil {
		return nil, err
	}
	view := ceremonyView{Ceremony: b.Ceremony}
	if err := json.Unmarshal(raw, &view.Options); err != nil {
		return nil, err
	}
	return answered(view), nil
}

func (s *Server) beginPasskey(ctx context.Context, _ *empty) (*answer[ceremonyView], error) {
	return begun(s.Passkeys.BeginAdd(ctx, middleware.PrincipalOf(ctx).Live))
}

func (s *Server) beginPasskeyLogin(ctx context.Context, _ *empty) (*answer[ceremonyView], error) {
	return begun(s.Passkeys.BeginLogin(ctx, services.ClientOf(ctx)))
}

func (s *Server) beginPasskeyUnlock(ctx context.Context, _ *empty) (*answer[ceremonyView], error) {
	return begun(s.Passkeys.BeginUnlock(ctx, middleware.PrincipalOf(ctx).Live))
}

func (s *Server) beginPasskeyReauthentication(ctx context.Context, _ *empty) (*answer[ceremonyView], error) {
	return begun(s.Passkeys.BeginReauthenticate(ctx, middleware.PrincipalOf(ctx).Live))
}

type addPasskeyInput struct {
	OnceInput
	Body struct {
		Ceremony   string         `json:"ceremony" maxLength:"100"`
		Name       string         `json:"name" doc:"1 to 100 characters, for its owner to know it by"`
		Credential map[string]any `json:"credential" doc:"What the browser's PublicKeyCredential.toJSON() gives"`
	}
}

func (s *Server) addPasskey(ctx context.Context, in *addPasskeyInput) (*created[PasskeyView], error) {
	credential, err := json.Marshal(in.Body.Credential)
	if err != nil {
		return nil, err
	}
	once, err := in.repeatable(ctx, "POST /passkeys")
	if err != nil {
		return nil, err
	}
	key, replayed, err := s.Passkeys.Add(ctx, middleware.PrincipalOf(ctx).Live,
		services.NewPasskey{Ceremony: in.Body.Ceremony, Name: in.Body.Name, Credential: credential}, once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(viewOfPasskey(key), replayed), nil
}

func (s *Server) removePasskey(ctx context.Context, in *idPath) (*empty, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.Passkeys.Remove(ctx, middleware.PrincipalOf(ctx).Live, id)
}

type assertionInput struct {
	Body struct {
		Ceremony   string         `json:"ceremony" maxLength:"100"`
		Credential map[string]any `json:"credential" doc:"What the browser's PublicKeyCredential.toJSON() gives"`
	}
}

func (in *assertionInput) answer() (services.Answer, error) {
	credential, err := json.Marshal(in.Body.Credential)
	return services.Answer{Ceremony: in.Body.Ceremony, Credential: credential}, err
}

func (s *Server) loginByPasskey(ctx context.Context, in *assertionInput) (*withCookie, error) {
	given, err := in.answer()
	if err != nil {
		return nil, err
	}
	return s.proved(s.Passkeys.Login(ctx, given, services.ClientOf(ctx), middleware.PrincipalOf(ctx).Live))
}

func (s *Server) unlockByPasskey(ctx context.Context, in *assertionInput) (*withCookie, error) {
	given, err := in.answer()
	if err != nil {
		return nil, err
	}
	return s.proved(s.Passkeys.Unlock(ctx, middleware.PrincipalOf(ctx).Live, given))
}

func (s *Server) reauthenticateByPasskey(ctx context.Context, in *assertionInput) (*empty, error) {
	given, err := in.answer()
	if err != nil {
		return nil, err
	}
	return nil, s.Passkeys.Reauthenticate(ctx, middleware.PrincipalOf(ctx).Live, given)
}
