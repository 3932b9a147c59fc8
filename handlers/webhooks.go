package handlers

import (
	"context"

	"belfry/models"
)

// WebhookView is a webhook without its secret. It is exported because huma passes over embedded structs that are not.
type WebhookView struct {
	ID           int64                 `json:"id"`
	URL          string                `json:"url"`
	Events       []models.WebhookEvent `json:"events"`
	CreatedAt    models.Instant        `json:"created_at" format:"date-time"`
	LastDelivery *models.Instant       `json:"last_delivery_at" format:"date-time" doc:"The last attempt; null = none yet"`
	LastStatus   *int                  `json:"last_status" doc:"HTTP status of its answer; null = no answer came"`
	FailingSince *models.Instant       `json:"failing_since" format:"date-time" doc:"Since when no attempt has succeeded; null = the last one did"`
	GivenUp      int64                 `json:"given_up" doc:"Messages that were tried for about 28 hours, and no longer"`
	DisabledAt   *models.Instant       `json:"disabled_at" format:"date-time" doc:"When the receiver answered 410; it is sent nothing from then on"`
}

func viewOfWebhook(w *models.Webhook) WebhookView {
	return WebhookView{ID: w.ID, URL: w.URL, Events: w.Events(), CreatedAt: w.CreatedAt, LastDelivery: w.LastDeliveryAt, LastStatus: w.LastStatus,
		FailingSince: w.FailingSince, GivenUp: w.GivenUp, DisabledAt: w.DisabledAt}
}

func (s *Server) listWebhooks(ctx context.Context, _ *empty) (*answer[items[WebhookView]], error) {
	hooks, err := s.Webhooks.List(ctx)
	return respond(itemsOf(hooks, viewOfWebhook), err)
}

type createWebhookInput struct {
	OnceInput
	Body struct {
		URL    string                `json:"url" doc:"http or https; redirects are not followed"`
		Events []models.WebhookEvent `json:"events,omitempty" maxItems:"10" doc:"session.started, session.locked, session.unlocked, session.ended; all when left out"`
	}
}

type newWebhookView struct {
	WebhookView
	Secret string `json:"secret" doc:"What messages are signed with (Standard Webhooks); shown this once"`
}

func (s *Server) createWebhook(ctx context.Context, in *createWebhookInput) (*created[newWebhookView], error) {
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	if in.Body.Events != nil && len(in.Body.Events) == 0 {
		return nil, models.InvalidField("events", "At least one; all when left out.")
	}
	once, err := in.repeatable(ctx, "POST /webhooks")
	if err != nil {
		return nil, err
	}
	hook, err := s.Webhooks.Create(ctx, in.Body.URL, in.Body.Events, once)
	if err != nil {
		return nil, err
	}
	return createdAnswer(newWebhookView{WebhookView: viewOfWebhook(&hook.Webhook), Secret: hook.Secret}, hook.Replayed), nil
}

func (s *Server) deleteWebhook(ctx context.Context, in *idPath) (*empty, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.requireProof(ctx); err != nil {
		return nil, err
	}
	return nil, s.Webhooks.Delete(ctx, id)
}
