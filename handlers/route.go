package handlers

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
)

// route registers one operation behind its rule. Of success the status is 200, or the one that is given.
func route[I, O any](s *Server, api huma.API, rule middleware.Rule, method, path string,
	handler func(context.Context, *I) (*O, error), status ...int) {
	op := s.operation(rule, method, path)
	if len(status) > 0 {
		op.DefaultStatus = status[0]
	}
	switch body := middleware.Body(s.Log); {
	case rule.Signed: // who asks is known by the body
		op.Middlewares = append(huma.Middlewares{body, middleware.Signature(s.Keys, s.Log)}, op.Middlewares...)
	case method != http.MethodGet:
		op.Middlewares = append(op.Middlewares, body, middleware.Remains(s.Sessions, rule, s.Log))
	}
	register(s, api, op, handler)
}

// register makes every refusal of a handler's a problem.
func register[I, O any](s *Server, api huma.API, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, middleware.Refusal(ctx, s.Log, err)
		}
		return out, nil
	})
}

// admission is what a request passes before its body is read.
func (s *Server) admission(rule middleware.Rule) huma.Middlewares {
	admission := huma.Middlewares{middleware.Access(s.Sessions, rule, s.Log)}
	if rule.Metered {
		admission = append(admission, s.unspent)
	}
	return admission
}

// init says that a list is never null, but where its tag says so: an empty one is [].
func init() { huma.DefaultArrayNullable = false }

// operation begins one that is open to those of its rule; explain adds the rest of its description.
func (s *Server) operation(rule middleware.Rule, method, path string) huma.Operation {
	text, security := rule.Describe()
	return huma.Operation{
		OperationID: operationID(method, path), Method: method, Path: path, Metadata: map[string]any{ruleOf: rule},
		Description: text, Security: security, DefaultStatus: http.StatusOK, Middlewares: s.admission(rule),
		// From which explain has the form of a problem; it says which there are.
		Errors: []int{http.StatusInternalServerError},
		// The body is read and bounded by ours, before huma sees it.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
	}
}

// operationID makes "get-sessions-id" of GET /api/v1/sessions/{id}.
func operationID(method, path string) string {
	path = strings.TrimPrefix(path, "/api/v1/")
	return strings.ToLower(method) + "-" + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path)
}

// empty is an input without fields, and an answer without a body.
type empty struct{}

// answer is a body and nothing else.
type answer[T any] struct{ Body T }

func answered[T any](body T) *answer[T] { return &answer[T]{Body: body} }

// respond answers with what a service has given, or with its refusal.
func respond[T any](body T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return answered(body), nil
}

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
