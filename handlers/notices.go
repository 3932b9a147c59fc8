package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
	"belfry/services/journal"
)

type publishInput struct {
	OnceInput
	ContentType string `header:"Content-Type" hidden:"true"`
}

// PublishBody is a notice as it is sent. It is exported because huma passes over embedded structs that are not. What its
// tags say, services.Notices checks as well, for not each body is held against them.
type PublishBody struct {
	To struct {
		Users    []string `json:"users,omitempty" maxItems:"1000"`
		Groups   []string `json:"groups,omitempty" maxItems:"1000"`
		Everyone bool     `json:"everyone,omitempty"`
	} `json:"to"`
	Title       string          `json:"title" minLength:"1" maxLength:"200"`
	Text        string          `json:"body,omitempty" doc:"At most 16 KiB"`
	Format      string          `json:"format,omitempty" enum:"text,markdown" default:"text"`
	URL         *string         `json:"url,omitempty" maxLength:"2048" nullable:"true" doc:"http, https or a path: where a click leads"`
	Actions     []models.Action `json:"actions,omitempty" maxItems:"4" nullable:"true"`
	Severity    string          `json:"severity,omitempty" enum:"info,success,warning,critical" default:"info"`
	Category    *string         `json:"category,omitempty" minLength:"1" maxLength:"64" nullable:"true"`
	Data        json.RawMessage `json:"data,omitempty" doc:"An object that is passed on as it is, at most 16 KiB"`
	CollapseKey *string         `json:"collapse_key,omitempty" minLength:"1" maxLength:"128" nullable:"true" doc:"Of one sender and key, the newest replaces the older"`
	ExpiresAt   *string         `json:"expires_at,omitempty" format:"date-time" nullable:"true"`
}

func (b *PublishBody) outgoing(once services.Repeatable) (services.Outgoing, error) {
	content := models.NoticeContent{Title: b.Title, Body: b.Text, Format: b.Format, URL: b.URL, Actions: b.Actions, Severity: b.Severity,
		Category: b.Category, Data: b.Data, CollapseKey: b.CollapseKey}
	var err error
	content.ExpiresAt, err = instant(b.ExpiresAt, "expires_at")
	to := services.Target{Users: b.To.Users, Groups: b.To.Groups, Everyone: b.To.Everyone}
	return services.Outgoing{To: to, Content: content, Once: once}, err
}

// publishRoute registers the route that most requests are for, past huma's decoder.
func (s *Server) publishRoute(api huma.API, rule middleware.Rule, path string) {
	notice := describe[PublishBody](api)
	route(s, api, rule, http.MethodPost, path, func(ctx context.Context, in *publishInput) (*created[services.Published], error) {
		return s.publish(ctx, in, notice)
	}, http.StatusCreated)
	api.OpenAPI().Paths[path].Post.RequestBody = notice.requestBody("application/json")
}

func (s *Server) publish(ctx context.Context, in *publishInput, notice described[PublishBody]) (*created[services.Published], error) {
	if media := mediaType(in.ContentType); media != "" && media != "application/json" && !strings.HasSuffix(media, "+json") { // as on the other routes
		return nil, huma.NewError(http.StatusUnsupportedMediaType, "")
	}
	body, err := notice.read(middleware.RawBody(ctx))
	if err != nil {
		return nil, err
	}
	once, err := in.repeatable(ctx, "POST /notices")
	if err != nil {
		return nil, err
	}
	out, err := body.outgoing(once)
	if err != nil {
		return nil, err
	}
	published, err := s.Notices.Publish(ctx, middleware.PrincipalOf(ctx), out)
	if err != nil {
		return nil, err
	}
	return createdAnswer(published, published.Replayed), nil
}

// mediaType is a Content-Type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(media)
}

func instant(text *string, field string) (*models.Instant, error) {
	if text == nil {
		return nil, nil //nolint:nilnil // no time is a time here
	}
	var at models.Instant
	if err := at.UnmarshalText([]byte(*text)); err != nil {
		return nil, models.InvalidField(field, "A time as in RFC 3339.")
	}
	return &at, nil
}

type listInput struct {
	State    string `query:"state" enum:"inbox,unread,archived,snoozed,all" default:"inbox"`
	Category string `query:"category" maxLength:"64"`
	Text     string `query:"q" maxLength:"200" doc:"In title or body, in any case"`
	Before   string `query:"before" doc:"next_before of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type noticePage struct {
	Items  []services.NoticeView `json:"items"`
	Next   *string               `json:"next_before" doc:"Null at the end"`
	Unread int64                 `json:"unread"`
	Cursor string                `json:"cursor" doc:"A stream that starts here misses nothing"`
}

func (s *Server) listNotices(ctx context.Context, in *listInput) (*answer[noticePage], error) {
	listing := services.Listing{State: in.State, Category: in.Category, Text: in.Text, Limit: in.Limit}
	if in.Before != "" {
		at, ok := journal.ParsePosition(in.Before)
		if !ok {
			return nil, models.InvalidField("before", "The next_before of another page.")
		}
		// 0 stands for no bound; nothing lies before the first entry anyway.
		listing.Before = max(at.Offset, 1)
	}
	page, err := s.Notices.List(ctx, &middleware.PrincipalOf(ctx).Live.User, listing)
	if err != nil {
		return nil, err
	}
	body := noticePage{Items: page.Items, Unread: page.Unread, Cursor: page.Cursor}
	if page.Next != "" {
		body.Next = &page.Next
	}
	return answered(body), nil
}

func (s *Server) getNotice(ctx context.Context, in *idPath) (*answer[services.NoticeView], error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	view, err := s.Notices.Get(ctx, &middleware.PrincipalOf(ctx).Live.User, id)
	if err != nil {
		return nil, err
	}
	return answered(*view), nil
}

type patchNoticeInput struct {
	ID   string `path:"id"`
	Body struct {
		Read     *bool `json:"read,omitempty"`
		Archived *bool `json:"archived,omitempty"`
	}
}

func (s *Server) patchNotice(ctx context.Context, in *patchNoticeInput) (*answer[services.NoticeView], error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	view, err := s.Notices.MarkOne(ctx, &middleware.PrincipalOf(ctx).Live.User, id, in.Body.Read, in.Body.Archived)
	if err != nil {
		return nil, err
	}
	return answered(*view), nil
}

type markInput struct {
	Body struct {
		IDs      []int64 `json:"ids,omitempty" maxItems:"1000"`
		UpTo     *string `json:"up_to,omitempty" doc:"A cursor: all of the inbox at or before it"`
		Read     *bool   `json:"read,omitempty"`
		Archived *bool   `json:"archived,omitempty"`
	}
}

func (s *Server) markNotices(ctx context.Context, in *markInput) (*answer[services.Marked], error) {
	b := &in.Body
	marking := services.Marking{IDs: b.IDs, Read: b.Read, Archived: b.Archived}
	switch {
	case (b.IDs == nil) == (b.UpTo == nil):
		return nil, models.InvalidField("ids", "Either ids or up_to.")
	case b.Read == nil && b.Archived == nil:
		return nil, models.InvalidField("read", "At least one of read and archived.")
	case b.UpTo != nil:
		at, ok := journal.ParsePosition(*b.UpTo)
		if !ok {
			return nil, models.InvalidField("up_to", "A cursor.")
		}
		marking.UpTo = &at
	}
	marked, err := s.Notices.Mark(ctx, &middleware.PrincipalOf(ctx).Live.User, marking)
	if err != nil {
		return nil, err
	}
	return answered(marked), nil
}

type recipientsInput struct {
	Text string `query:"q" maxLength:"100"`
}

func (s *Server) findRecipients(ctx context.Context, in *recipientsInput) (*answer[items[services.Recipient]], error) {
	hits, err := s.Recipients.Find(ctx, middleware.PrincipalOf(ctx), in.Text)
	if err != nil {
		return nil, err
	}
	return answered(items[services.Recipient]{Items: hits}), nil
}
