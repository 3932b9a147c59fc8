package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

type auditActor struct {
	Type    services.ActorType `json:"type" enum:"user,key,command,provider,system,nobody"`
	Name    string             `json:"name"`
	Session string             `json:"session" doc:"Hashed; empty where there is none"`
}

// AuditView is one line of the record. What does not apply is empty.
type AuditView struct {
	ID        int64          `json:"id"`
	At        models.Instant `json:"at" format:"date-time"`
	Action    string         `json:"action" doc:"A noun and a verb: session.locked"`
	Actor     auditActor     `json:"actor"`
	User      string         `json:"user" doc:"Whom it concerned"`
	Session   string         `json:"session" doc:"Hashed"`
	Key       string         `json:"key" doc:"The name of an API key"`
	IP        string         `json:"ip"`
	UserAgent string         `json:"user_agent"`
	Detail    map[string]any `json:"detail"`
}

func viewOfAudit(r *models.AuditRecord) (AuditView, error) {
	view := AuditView{ID: r.ID, At: r.At, Action: r.Action, User: r.Username, Session: r.Session, Key: r.KeyName, IP: r.IP, UserAgent: r.UserAgent,
		Actor: auditActor{Type: services.ActorType(r.ActorType), Name: r.ActorName, Session: r.ActorSession}}
	return view, json.Unmarshal([]byte(r.Detail), &view.Detail)
}

// AuditQuery is exported because huma passes over embedded structs that are not.
type AuditQuery struct {
	Action  string `query:"action" maxLength:"64" pattern:"^[a-z_]*\\.?[a-z_]*$" doc:"One action, or all that begin with it where it ends in a dot"`
	Actor   string `query:"actor" maxLength:"100" doc:"Who did it, by name"`
	User    string `query:"user" maxLength:"64" doc:"Whom it concerned, by name"`
	Session string `query:"session" maxLength:"16" doc:"Hashed, as the record shows it"`
	Since   string `query:"since" format:"date-time" doc:"At or after"`
	Until   string `query:"until" format:"date-time" doc:"Before"`
}

func (f *AuditQuery) filter() (filter services.AuditFilter, err error) {
	filter = services.AuditFilter{Action: f.Action, Actor: f.Actor, User: f.User, Session: f.Session}
	if filter.Since, err = instant(given(f.Since), "since"); err != nil {
		return filter, err
	}
	filter.Until, err = instant(given(f.Until), "until")
	return filter, err
}

// given is a parameter of a query, where it is there.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

type auditInput struct {
	AuditQuery
	Before string `query:"before" maxLength:"20" doc:"next_before of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *Server) listAudit(ctx context.Context, in *auditInput) (*answer[items[AuditView]], error) {
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	if filter.Before, err = beforeID(in.Before); err != nil {
		return nil, err
	}
	records, err := s.Audit.Page(ctx, filter, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := items[AuditView]{Items: []AuditView{}}
	if len(records) > in.Limit {
		records = records[:in.Limit]
		list.Next = new(strconv.FormatInt(records[in.Limit-1].ID, 10))
	}
	for i := range records {
		view, err := viewOfAudit(&records[i])
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, view)
	}
	return answered(list), nil
}

// exportedAtOnce bounds what an export keeps in memory.
const exportedAtOnce = 500

// exportTimeout bounds an export as a whole. It is longer than that of other requests, for the record may be long.
const exportTimeout = 10 * time.Minute

// auditExportRoute registers the export, whose answer huma cannot describe by itself.
func (s *Server) auditExportRoute(api huma.API, rule middleware.Rule, path string) {
	op := s.operation(rule, http.MethodGet, path)
	op.Responses = map[string]*huma.Response{"200": {Description: "The record", Content: map[string]*huma.MediaType{ndjson: {Schema: describe[AuditView](api).schema}}}}
	register(s, api, op, func(ctx context.Context, in *AuditQuery) (*huma.StreamResponse, error) {
		filter, err := in.filter()
		if err != nil {
			return nil, err
		}
		first, err := s.Audit.Page(ctx, filter, exportedAtOnce)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(to huma.Context) { s.exportAudit(to, filter, first) }}, nil
	})
}

func (s *Server) exportAudit(to huma.Context, filter services.AuditFilter, page []models.AuditRecord) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(to.Context()), exportTimeout)
	defer cancel()
	to.SetHeader("Content-Type", ndjson)
	to.SetHeader("Content-Disposition", `attachment; filename="belfry-audit.ndjson"`)
	lines := json.NewEncoder(to.BodyWriter()) // it ends each value with a line end
	for len(page) > 0 {
		for i := range page {
			view, err := viewOfAudit(&page[i])
			if err == nil {
				err = lines.Encode(view)
			}
			if err != nil {
				panic(http.ErrAbortHandler) // the caller is gone
			}
		}
		filter.Before = page[len(page)-1].ID
		err := s.Sessions.Remains(ctx, middleware.PrincipalOf(ctx).Live) // or a lock would let the rest through
		if err == nil {
			page, err = s.Audit.Page(ctx, filter, exportedAtOnce)
		}
		if err != nil {
			if models.CodeOf(err) == models.CodeInternal {
				s.Log.ErrorContext(ctx, "an export of the audit was cut short", "error", err)
			}
			panic(http.ErrAbortHandler) // the one way to say that the answer is not whole
		}
	}
}
