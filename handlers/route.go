package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
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
	op := operation(rule, method, path)
	op.Middlewares = s.admission(rule)
	if len(statuses) > 0 {
		op.DefaultStatus = statuses[0]
	}
	switch body := middleware.Body(s.Log); {
	case rule.Signed: // who asks is known by the body
		op.Middlewares = append(huma.Middlewares{body, middleware.Signature(s.Keys, s.Log)}, op.Middlewares...)
	case method != http.MethodGet:
		op.Middlewares = append(op.Middlewares, body, middleware.Remains(s.Sessions, rule, s.Log))
	}
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

// operation begins the description of one; explain adds the rest.
func operation(rule middleware.Rule, method, path string) huma.Operation {
	text, security := rule.Describe()
	op := huma.Operation{
		OperationID: operationID(method, path), Method: method, Path: path, Metadata: map[string]any{ruleOf: rule},
		Description: text, Security: security, DefaultStatus: http.StatusOK, Errors: refusals,
		// The body is read and bounded by ours, before huma sees it.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
	}
	if method != http.MethodGet {
		op.Errors = writeRefusals
	}
	return op
}

// complete says in the API's description what Go's types cannot: that null is one of the values where it
// is allowed, also where there may be no object, and that a notice's data is an object.
func complete(api *huma.OpenAPI) {
	schemas := api.Components.Schemas.Map()
	for _, item := range api.Paths {
		for _, op := range []*huma.Operation{item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil && op.RequestBody != nil {
				for _, media := range op.RequestBody.Content {
					leaveOut(api.Components.Schemas, media.Schema)
				}
			}
		}
	}
	provider := *schemas["SingleSignOn"]
	provider.Nullable = true
	schemas["LoginWays"].Properties["single_sign_on"] = &provider
	person := *schemas["PersonDelivered"]
	person.Nullable = true
	schemas["StatsBody"].Properties["user"] = &person
	for _, key := range []string{"KeyView", "NewKeyView"} {
		mapping := *schemas["Mapping"]
		mapping.Nullable = true
		schemas[key].Properties["mapping"] = &mapping
	}
	for _, notice := range []string{"NoticeView", "SentNotice"} {
		schemas[notice].Properties["data"] = &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true}
	}
	for _, object := range schemas {
		for _, member := range object.Properties {
			if member.Nullable && len(member.Enum) > 0 && !slices.Contains(member.Enum, nil) {
				member.Enum = append(member.Enum, nil)
			}
		}
	}
}

// removeUnused takes away what was written out where it is used.
func removeUnused(api *huma.OpenAPI) error {
	text, err := json.Marshal(api)
	maps.DeleteFunc(api.Components.Schemas.Map(), func(name string, _ *huma.Schema) bool {
		return err == nil && !bytes.Contains(text, []byte(`"#/components/schemas/`+name+`"`))
	})
	return err
}

// leaveOut says that null stands for leaving a member out, as huma reads it, wherever it may be left out of a request.
func leaveOut(registry huma.Registry, schema *huma.Schema) {
	if schema.Ref != "" {
		schema = registry.SchemaFromRef(schema.Ref)
	}
	for name, member := range schema.Properties {
		leaveOut(registry, member)
		if member.Items != nil {
			leaveOut(registry, member.Items)
		}
		if slices.Contains(schema.Required, name) {
			continue
		}
		if member.Ref != "" { // beside a reference nothing is heard
			of := *registry.SchemaFromRef(member.Ref)
			member = &of
			schema.Properties[name] = member
		}
		member.Nullable = member.Type != "" // what has no type takes null anyway
	}
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
