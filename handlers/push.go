package handlers

import (
	"context"

	"belfry/middleware"
	"belfry/services"
)

type pushKeyView struct {
	Key string `json:"key" doc:"The applicationServerKey to subscribe with: an uncompressed point of P-256, base64url (RFC 8292)"`
}

func (s *Server) getPushKey(context.Context, *empty) (*answer[pushKeyView], error) {
	return answered(pushKeyView{Key: s.Push.Key()}), nil
}

// PushSubscriptionBody is what a browser's PushSubscription.toJSON() gives.
type PushSubscriptionBody struct {
	Endpoint       string   `json:"endpoint" doc:"At one of PUSH_HOSTS"`
	ExpirationTime *float64 `json:"expirationTime,omitempty" nullable:"true" doc:"Not needed: the push service says when it is over"`
	Keys           PushKeys `json:"keys"`
}

// PushKeys are what messages to a browser are sealed with. It is exported because huma names its schema after it.
type PushKeys struct {
	P256dh string `json:"p256dh" doc:"The browser's public key, base64url"`
	Auth   string `json:"auth" doc:"The shared secret, base64url"`
}

type subscribePushInput struct {
	OnceInput
	Body PushSubscriptionBody
}

type subscribedView struct {
	Endpoint string `json:"endpoint"`
}

func (s *Server) subscribePush(ctx context.Context, in *subscribePushInput) (*created[subscribedView], error) {
	once, err := in.repeatable(ctx, "POST /push/subscriptions")
	if err != nil {
		return nil, err
	}
	replayed, err := s.Push.Subscribe(ctx, middleware.PrincipalOf(ctx).Live,
		services.NewPushSubscription{Endpoint: in.Body.Endpoint, P256dh: in.Body.Keys.P256dh, Auth: in.Body.Keys.Auth}, once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(subscribedView{Endpoint: in.Body.Endpoint}, replayed), nil
}

type unsubscribePushInput struct {
	Body struct {
		Endpoint string `json:"endpoint"`
	}
}

func (s *Server) unsubscribePush(ctx context.Context, in *unsubscribePushInput) (*empty, error) {
	return nil, s.Push.Unsubscribe(ctx, middleware.PrincipalOf(ctx).Live.UserID, in.Body.Endpoint)
}
