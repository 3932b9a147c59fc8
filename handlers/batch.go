package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
	"belfry/services"
)

// ndjson is JSON by the line.
const ndjson = "application/x-ndjson"

// BatchLine is one notice of a batch.
type BatchLine struct {
	PublishBody
	IdempotencyKey string `json:"idempotency_key,omitempty" maxLength:"255"`
}

// BatchAnswer says of one line where its notice went.
type BatchAnswer struct {
	Status int `json:"status"`
	services.Published
}

type batchInput struct {
	OnceInput
	ContentType string `header:"Content-Type"`
}

type batchOutput struct {
	ContentType string `header:"Content-Type"`
	Replayed    string `header:"Idempotency-Replayed"`
	Body        []byte
}

var (
	errTooManyLines = models.Errorf(models.CodeTooLarge, fmt.Sprintf("At most %d notices at once.", services.MaxBatch))
	errNoLines      = models.InvalidField("body", "At least one notice.")
	errNotLines     = models.Errorf(models.CodeUnsupportedMedia, "Send "+ndjson+".")
	errUnreadable   = &models.Error{Code: models.CodeUnreadable, Detail: "The line cannot be read as JSON."}
)

// batchRoute registers the one route that speaks NDJSON, which huma neither decodes nor describes by itself.
func (s *Server) batchRoute(api huma.API, rule middleware.Rule, path string) {
	text, security := rule.Describe()
	registry := api.OpenAPI().Components.Schemas
	line := registry.Schema(reflect.TypeFor[BatchLine](), true, "BatchLine")
	answer := &huma.Schema{OneOf: []*huma.Schema{
		registry.Schema(reflect.TypeFor[BatchAnswer](), true, "BatchAnswer"), registry.Schema(reflect.TypeFor[middleware.Problem](), true, "Problem")}}
	huma.Register(api, huma.Operation{
		OperationID: "post-notices-batch", Method: http.MethodPost, Path: path, Description: text + " A notice a line; an answer a line, in their order.",
		Security: security, DefaultStatus: http.StatusOK, Errors: writeRefusals,
		Responses:   map[string]*huma.Response{"200": {Description: "What became of each", Content: map[string]*huma.MediaType{ndjson: {Schema: answer}}}},
		Middlewares: huma.Middlewares{middleware.Access(s.Sessions, rule, s.Log), middleware.Bulk(s.Log)}, MaxBodyBytes: -1, BodyReadTimeout: -1,
	}, func(ctx context.Context, in *batchInput) (*batchOutput, error) {
		out, err := s.publishBatch(ctx, in, batchDecoder{registry, line})
		if err != nil {
			return nil, middleware.Refusal(ctx, s.Log, err)
		}
		return out, nil
	})
	// Afterwards, or huma would decode the body as one value.
	api.OpenAPI().Paths[path].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{ndjson: {Schema: line}}}
}

func (s *Server) publishBatch(ctx context.Context, in *batchInput, decoder batchDecoder) (*batchOutput, error) {
	if media, _, _ := strings.Cut(in.ContentType, ";"); !strings.HasSuffix(strings.TrimSpace(media), "ndjson") {
		return nil, errNotLines
	}
	// Under a key of the whole request each line has one of its own, that no client can send.
	whole, err := in.repeatable(ctx, "POST /notices/batch")
	if err != nil {
		return nil, err
	}
	if err := s.Notices.Repeats(ctx, ofLine(whole, 0)); err != nil {
		return nil, err
	}
	var batch []services.Outgoing
	var answers []any
	var positions []int // of the batch's notices among the answers
	for raw := range bytes.Lines(middleware.RawBody(ctx)) {
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		if len(answers) == services.MaxBatch {
			return nil, errTooManyLines
		}
		out, err := decoder.decode(ctx, raw, ofLine(whole, len(answers)))
		if err != nil {
			answers = append(answers, middleware.ProblemOf(ctx, s.Log, err))
			continue
		}
		batch, positions = append(batch, out), append(positions, len(answers))
		answers = append(answers, nil)
	}
	if len(answers) == 0 {
		return nil, errNoLines
	}
	published, refused, err := s.Notices.PublishAll(ctx, middleware.PrincipalOf(ctx), batch)
	if err != nil {
		return nil, err
	}
	replayed := len(batch) > 0
	for i, at := range positions {
		if answers[at] = (BatchAnswer{http.StatusCreated, published[i]}); refused[i] != nil {
			answers[at] = middleware.ProblemOf(ctx, s.Log, refused[i])
		}
		replayed = replayed && published[i].Replayed
	}
	return batchAnswer(answers, replayed)
}

func batchAnswer(answers []any, replayed bool) (*batchOutput, error) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines) // it ends each value with a line end
	encoder.SetEscapeHTML(false)
	for _, a := range answers {
		if err := encoder.Encode(a); err != nil {
			return nil, err
		}
	}
	out := &batchOutput{ContentType: ndjson, Body: lines.Bytes()}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}

// batchDecoder holds a line to the same rules as a request of its own.
type batchDecoder struct {
	registry huma.Registry
	schema   *huma.Schema
}

// decode reads a line; once is what it is repeatable under when it does not say so itself.
func (d batchDecoder) decode(ctx context.Context, raw []byte, once services.Repeatable) (services.Outgoing, error) {
	var value any
	if err := middleware.CheckText(raw); err != nil {
		return services.Outgoing{}, err
	}
	if json.Unmarshal(raw, &value) != nil {
		return services.Outgoing{}, errUnreadable
	}
	found := &huma.ValidateResult{}
	huma.Validate(d.registry, d.schema, huma.NewPathBuffer([]byte{}, 0), huma.ModeWriteToServer, value, found)
	if len(found.Errors) > 0 {
		return services.Outgoing{}, huma.NewError(http.StatusUnprocessableEntity, "", found.Errors...)
	}
	var line BatchLine
	if json.Unmarshal(raw, &line) != nil {
		return services.Outgoing{}, errUnreadable
	}
	if line.IdempotencyKey != "" {
		var err error
		if once, err = repeatable(ctx, line.IdempotencyKey, "idempotency_key", "POST /notices/batch", raw); err != nil {
			return services.Outgoing{}, err
		}
	}
	return line.outgoing(once)
}

func ofLine(whole services.Repeatable, number int) services.Repeatable {
	if whole.Key != "" {
		whole.Key += fmt.Sprintf("\n%d", number)
	}
	return whole
}
