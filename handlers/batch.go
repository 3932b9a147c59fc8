package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
	PublishedView
}

type batchInput struct {
	OnceInput
	ContentType string `header:"Content-Type" hidden:"true"`
}

type batchOutput struct {
	QuotaHeaders
	ContentType string `header:"Content-Type"`
	Replayed    string `header:"Idempotency-Replayed"`
	Body        []byte
}

var (
	errTooManyLines = models.Errorf(models.CodeTooLarge, "At most %d notices at once.", services.MaxBatch)
	errNoLines      = models.InvalidField("body", "At least one notice.")
	errNotLines     = models.Errorf(models.CodeUnsupportedMedia, "Send "+ndjson+".")
)

// batchRoute registers the one route that takes NDJSON, which huma neither decodes nor describes by itself.
func (s *Server) batchRoute(api huma.API, rule middleware.Rule, path string) {
	line := describe[BatchLine](api)
	answer := &huma.Schema{OneOf: []*huma.Schema{describe[BatchAnswer](api).schema, describe[middleware.Problem](api).schema}}
	op := s.operation(rule, http.MethodPost, path)
	op.Responses = map[string]*huma.Response{"200": {Description: "What became of each", Content: map[string]*huma.MediaType{ndjson: {Schema: answer}}}}
	op.Middlewares = append(op.Middlewares, middleware.Bulk(s.Log), middleware.Remains(s.Sessions, rule, s.Log))
	register(s, api, op, func(ctx context.Context, in *batchInput) (*batchOutput, error) { return s.publishBatch(ctx, in, line) })
	// Afterwards, or huma would decode the body as one value.
	api.OpenAPI().Paths[path].Post.RequestBody = line.requestBody(ndjson)
}

func (s *Server) publishBatch(ctx context.Context, in *batchInput, lines described[BatchLine]) (*batchOutput, error) {
	if !strings.HasSuffix(mediaType(in.ContentType), "ndjson") {
		return nil, errNotLines
	}
	// Under a key of the whole request each line has one of its own, that no client can send.
	whole, err := in.repeatable(ctx, "POST /notices/batch")
	if err != nil {
		return nil, err
	}
	if err := s.Notices.Repeats(ctx, ofLine(whole, 0), keysOfLines(whole)); err != nil {
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
		out, err := outgoing(ctx, lines, raw, ofLine(whole, len(answers)))
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
	quota, err := s.spend(ctx, len(answers))
	if err != nil {
		return nil, err
	}
	published, refused, err := s.Notices.PublishAll(ctx, middleware.PrincipalOf(ctx), batch)
	if err != nil {
		return nil, err
	}
	replayed := len(batch) > 0
	for i, at := range positions {
		if answers[at] = (BatchAnswer{http.StatusCreated, viewOfPublished(&published[i])}); refused[i] != nil {
			answers[at] = middleware.ProblemOf(ctx, s.Log, refused[i])
		}
		replayed = replayed && published[i].Replayed
	}
	return batchAnswer(answers, replayed, quota)
}

func batchAnswer(answers []any, replayed bool, quota QuotaHeaders) (*batchOutput, error) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines) // it ends each value with a line end
	encoder.SetEscapeHTML(false)
	for _, a := range answers {
		if err := encoder.Encode(a); err != nil {
			return nil, err
		}
	}
	return &batchOutput{QuotaHeaders: quota, ContentType: ndjson, Replayed: replayHeader(replayed), Body: lines.Bytes()}, nil
}

// outgoing reads a line; once is what it is repeatable under when it does not say so itself.
func outgoing(ctx context.Context, lines described[BatchLine], raw []byte, once services.Repeatable) (services.Outgoing, error) {
	if err := middleware.CheckText(raw); err != nil {
		return services.Outgoing{}, err
	}
	line, err := lines.read(raw)
	if err != nil {
		return services.Outgoing{}, err
	}
	if line.IdempotencyKey != "" {
		if once, err = repeatable(ctx, line.IdempotencyKey, "idempotency_key", "POST /notices/batch", raw); err != nil {
			return services.Outgoing{}, err
		}
	}
	return line.outgoing(once)
}

// ofLine names a line by its place. The names are kept apart from what clients send by their principal, for the key in
// a line may hold any character.
func ofLine(whole services.Repeatable, number int) services.Repeatable {
	if whole.Key != "" {
		whole.Principal += " batch"
		whole.Key += fmt.Sprintf("\n%d", number)
	}
	return whole
}

// keysOfLines are all that a request may have kept under its key: which of its lines were kept, and under this key and not one
// of their own, is not known any more.
func keysOfLines(whole services.Repeatable) []string {
	if whole.Key == "" {
		return nil
	}
	keys := make([]string, services.MaxBatch)
	for i := range keys {
		keys[i] = ofLine(whole, i).Key
	}
	return keys
}
