package handlers

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
)

// refusals are the statuses that any operation may answer with, beside its own.
var refusals = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity,
	http.StatusLocked, http.StatusTooManyRequests, http.StatusServiceUnavailable}

// writeRefusals are those of an operation that takes a body. Clipped, because huma appends to it, and one operation's
// would end up in another's.
var writeRefusals = slices.Clip(append(slices.Clone(refusals), http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType))

// route registers one operation behind its rule. The first status is that of success, 200 where none
// is given; the rest are described as further answers.
func route[I, O any](s *Server, api huma.API, rule middleware.Rule, method, path string,
	handler func(context.Context, *I) (*O, error), statuses ...int) {
	text, security := rule.Describe()
	op := huma.Operation{
		OperationID: operationID(method, path), Method: method, Path: path,
		Description: text, Security: security, DefaultStatus: http.StatusOK,
		Errors:      refusals,
		Middlewares: huma.Middlewares{middleware.Access(s.Sessions, rule, s.Log)},
		// The body is read and bounded by ours, before huma sees it.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
	}
	if len(statuses) > 0 {
		op.DefaultStatus = statuses[0]
	}
	if method != http.MethodGet {
		op.Errors = writeRefusals
		op.Middlewares = append(op.Middlewares, middleware.Body(s.Log))
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, middleware.Refusal(ctx, s.Log, err)
		}
		return out, nil
	})
}

// complete says in the API's description what Go's types cannot: that null is one of the values where it
// is allowed, and that a notice's data is an object.
func complete(schemas map[string]*huma.Schema) {
	for _, object := range schemas {
		for _, member := range object.Properties {
			if member.Nullable && len(member.Enum) > 0 {
				member.Enum = append(member.Enum, nil)
			}
		}
	}
	schemas["NoticeView"].Properties["data"] = &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true}
}

// operationID makes "get-sessions-id" of GET /api/v1/sessions/{id}.
func operationID(method, path string) string {
	path = strings.TrimPrefix(path, "/api/v1/")
	return strings.ToLower(method) + "-" + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path)
}

// empty is an input without fields, and an answer without a body.
type empty struct{}

// items is a list. next is null at its end.
type items[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next_before" doc:"Where the next page begins; null at the end"`
}

// answer is a body and nothing else.
type answer[T any] struct{ Body T }

func answered[T any](body T) *answer[T] { return &answer[T]{Body: body} }

type idPath struct {
	ID string `path:"id"`
}

// pathID reads an id in a path; one of the wrong form names nothing.
func pathID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != text {
		return 0, models.ErrNotFound
	}
	return id, nil
}
