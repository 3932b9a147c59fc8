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

// Audience says for whom a notice is. It is exported because huma names its schema after it.
type Audience struct {
	Users    []string `json:"users,omitempty" maxItems:"1000"`
	Groups   []string `json:"groups,omitempty" maxItems:"1000"`
	Everyone bool     `json:"everyone,omitempty"`
}

// PublishBody is a notice as it is sent. It is exported because huma passes over embedded structs that are not. What its
// tags say, services.Notices checks as well, for not each body is held against them.
type PublishBody struct {
	To          Audience        `json:"to"`
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
	DeliverAt   *string         `json:"deliver_at,omitempty" format:"date-time" nullable:"true" doc:"When it is to reach anybody, at most a year ahead; a time that has passed is now"`
}

func (b *PublishBody) outgoing(once services.Repeatable) (services.Outgoing, error) {
	content := models.NoticeContent{Title: b.Title, Body: b.Text, Format: b.Format, URL: b.URL, Actions: b.Actions, Severity: b.Severity,
		Category: b.Category, Data: b.Data, CollapseKey: b.CollapseKey}
	var err error
	if content.ExpiresAt, err = instant(b.ExpiresAt, "expires_at"); err != nil {
		return services.Outgoing{}, err
	}
	at, err := instant(b.DeliverAt, "deliver_at")
	to := services.Target(b.To)
	return services.Outgoing{To: to, Content: content, Once: once, DeliverAt: at}, err
}

// PublishedView says where a notice went. It is exported because huma passes over embedded structs that are not.
type PublishedView struct {
	ID     int64   `json:"id"`
	Cursor *string `json:"cursor" doc:"Its place in the log; null of one that waits for its time"`
}

func viewOfPublished(p *services.Published) PublishedView {
	view := PublishedView{ID: p.ID}
	if p.Cursor != "" {
		view.Cursor = &p.Cursor
	}
	return view
}

// publishRoute registers the route that most requests are for, past huma's decoder.
func (s *Server) publishRoute(api huma.API, rule middleware.Rule, path string) {
	notice := describe[PublishBody](api)
	route(s, api, rule, http.MethodPost, path, func(ctx context.Context, in *publishInput) (*publishOutput, error) {
		return s.publish(ctx, in, notice)
	}, http.StatusCreated)
	api.OpenAPI().Paths[path].Post.RequestBody = notice.requestBody("application/json")
}

type publishOutput struct {
	QuotaHeaders
	Replayed string `header:"Idempotency-Replayed"`
	Body     PublishedView
}

func (s *Server) publish(ctx context.Context, in *publishInput, notice described[PublishBody]) (*publishOutput, error) {
	if !isJSON(mediaType(in.ContentType)) {
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
	quota, err := s.spend(ctx, 1)
	if err != nil {
		return nil, err
	}
	published, err := s.Notices.Publish(ctx, middleware.PrincipalOf(ctx), out)
	if err != nil {
		return nil, err
	}
	return &publishOutput{QuotaHeaders: quota, Replayed: replayHeader(published.Replayed), Body: viewOfPublished(&published)}, nil
}

// mediaType is a Content-Type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(media)
}

// isJSON is what huma takes for JSON on the routes that it decodes itself.
func isJSON(media string) bool {
	return media == "" || media == "application/json" || strings.HasSuffix(media, "+json")
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
	Text     string `query:"q" maxLength:"200" doc:"Each of these words stands in title or body, in any case and width; what is shorter than three letters begins a word there"`
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
			return nil, errBefore
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
	Body Marks
}

// Marks is what a reader does with notices. It is exported because huma passes over embedded structs that are not.
type Marks struct {
	Read     *bool    `json:"read,omitempty"`
	Archived *bool    `json:"archived,omitempty"`
	Snoozed  lateTime `json:"snoozed_until,omitempty" doc:"At most a year ahead; null brings back. What is put off is not archived"`
}

func (m *Marks) marking() (services.Marking, error) {
	marking := services.Marking{Read: m.Read, Archived: m.Archived}
	if m.Snoozed.given {
		until, err := instant(m.Snoozed.text, "snoozed_until")
		if err != nil {
			return marking, err
		}
		marking.Snooze = &services.Snooze{Until: until}
	}
	return marking, nil
}

// lateTime is a time that null takes away, which a member that is not there does not.
type lateTime struct {
	given bool
	text  *string
}

func (t *lateTime) UnmarshalJSON(raw []byte) error {
	t.given = true
	return json.Unmarshal(raw, &t.text)
}

// Schema is what the API's description says of it.
func (lateTime) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

func (s *Server) patchNotice(ctx context.Context, in *patchNoticeInput) (*answer[services.NoticeView], error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	marking, err := in.Body.marking()
	if err != nil {
		return nil, err
	}
	view, err := s.Notices.MarkOne(ctx, &middleware.PrincipalOf(ctx).Live.User, id, marking)
	if err != nil {
		return nil, err
	}
	return answered(*view), nil
}

type markInput struct {
	Body struct {
		IDs  []int64 `json:"ids,omitempty" maxItems:"1000"`
		UpTo *string `json:"up_to,omitempty" doc:"A cursor: all of the inbox at or before it"`
		Marks
	}
}

func (s *Server) markNotices(ctx context.Context, in *markInput) (*answer[services.Marked], error) {
	b := &in.Body
	marking, err := b.marking()
	if err != nil {
		return nil, err
	}
	marking.IDs = b.IDs
	switch {
	case (b.IDs == nil) == (b.UpTo == nil):
		return nil, models.InvalidField("ids", "Either ids or up_to.")
	case b.Read == nil && b.Archived == nil && marking.Snooze == nil:
		return nil, models.InvalidField("read", "At least one of read, archived and snoozed_until.")
	case b.UpTo != nil:
		at, ok := journal.ParsePosition(*b.UpTo)
		if !ok {
			return nil, models.InvalidField("up_to", "A cursor.")
		}
		marking.UpTo = &at
	}
	return respond(s.Notices.Mark(ctx, &middleware.PrincipalOf(ctx).Live.User, marking))
}

type recipientsInput struct {
	Text string `query:"q" maxLength:"100"`
}

func (s *Server) findRecipients(ctx context.Context, in *recipientsInput) (*answer[items[services.Recipient]], error) {
	hits, err := s.Recipients.Find(ctx, middleware.PrincipalOf(ctx), in.Text)
	return respond(items[services.Recipient]{Items: hits}, err)
}
