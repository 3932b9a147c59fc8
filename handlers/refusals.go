package handlers

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"belfry/middleware"
	"belfry/models"
)

// ruleOf is where an operation keeps who may call it, for its description.
const ruleOf = "rule"

// overview stands before the operations.
const overview = "A browser asks with its session's cookie, a program with a key: `Authorization: Bearer bfk_…`. A key may do what its scopes name: " +
	"`notices:write`, `tasks:write`, `sessions:write`, `users:write`, `tickets:write`. " +
	"Times are RFC 3339 in UTC, durations are milliseconds. Every refusal is a problem (RFC 9457) with a stable `code`; a rejected value is never repeated. " +
	"Events come by Server-Sent Events from `/sse/stream`, which goes on after the position in `Last-Event-ID`."

// explain gives each operation its heading, its words, and the refusals that it can meet, with their codes.
func explain(api *huma.OpenAPI) {
	api.Tags = tags
	for path, op := range documented(api) {
		text, known := operations[op.Method+" "+path]
		if known {
			op.Tags, op.Summary = []string{text.tag}, text.summary
			op.Description = strings.TrimSpace(text.text + " " + op.Description)
		}
		if rule, ruled := op.Metadata[ruleOf].(middleware.Rule); ruled && known {
			describeRefusals(op, append(refusalsOf(op, rule), text.also...))
		}
	}
	code := api.Components.Schemas.Map()["Problem"].Properties["code"]
	for _, known := range middleware.Codes() {
		code.Enum = append(code.Enum, string(known))
	}
	for media, examples := range publishExamples {
		path := "/api/v1/notices"
		if media == ndjson {
			path += "/batch"
		}
		api.Paths[path].Post.RequestBody.Content[media].Examples = examples
	}
}

// refusalsOf are those that follow from who may call an operation, and from what it takes.
func refusalsOf(op *huma.Operation, rule middleware.Rule) []models.Code {
	codes := []models.Code{models.CodeUnauthenticated, models.CodeInvalid, models.CodeInternal, models.CodeUnavailable}
	writes := op.Method != http.MethodGet
	if writes || !rule.Open {
		codes = append(codes, models.CodeForbidden)
	}
	if !rule.Open && !rule.Locked {
		codes = append(codes, models.CodeLocked)
	}
	if writes {
		codes = append(codes, models.CodeUnreadable, models.CodeTooLarge)
	}
	if op.RequestBody != nil {
		codes = append(codes, models.CodeUnsupportedMedia)
	}
	for _, p := range op.Parameters {
		switch {
		case p.In == "path":
			codes = append(codes, models.CodeNotFound)
		case p.Name == "Idempotency-Key":
			codes = append(codes, models.CodeIdempotencyMismatch)
		}
	}
	return codes
}

// describeRefusals puts these in the place of all that an operation was said to refuse with.
func describeRefusals(op *huma.Operation, codes []models.Code) {
	problem := op.Responses[strconv.Itoa(http.StatusInternalServerError)].Content
	maps.DeleteFunc(op.Responses, func(status string, _ *huma.Response) bool { return status >= "400" })
	slices.Sort(codes)
	for _, code := range slices.Compact(codes) {
		status, shown := middleware.StatusOf(code), code
		if code == models.CodeUnreadable {
			shown = models.CodeInvalid
		}
		name, word := strconv.Itoa(status), "`"+string(shown)+"`"
		if there, again := op.Responses[name]; again {
			there.Description += ", " + word
			continue
		}
		answer := &huma.Response{Description: http.StatusText(status) + ": " + word, Content: problem}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			answer.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds to wait", Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
		op.Responses[name] = answer
	}
}

// publishExamples are requests that work as they stand, given that there is an anna.
var publishExamples = map[string]map[string]*huma.Example{
	"application/json": {
		"plain": {Summary: "To one person", Value: map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "The build is green"}},
		"alert": {Summary: "An alert, replaced by the next one of its key", Value: map[string]any{"to": map[string]any{"everyone": true}, "title": "Disk at 91 %", "severity": "warning",
			"category": "disk", "collapse_key": "disk-web-1", "url": "https://grafana.example/d/disk"}},
		"later": {Summary: "Markdown, at its time, with a link to click", Value: map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "Release at noon",
			"body": "**Freeze** until then.", "format": "markdown", "actions": []any{map[string]any{"label": "Notes", "url": "/notes"}}, "deliver_at": "2030-01-01T12:00:00Z"}},
	},
	ndjson: {
		"line": {Summary: "One of the lines", Value: map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "The build is green", "idempotency_key": "build-1"}},
	},
}
