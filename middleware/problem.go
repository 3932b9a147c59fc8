// Package middleware holds what every request passes before its handler: who asks, whether they may,
// where they come from, how much they send, and the one shape of every refusal.
package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"belfry/models"
	"belfry/services"
)

// statuses is the one place where a domain code becomes an HTTP status.
var statuses = map[models.Code]int{
	models.CodeUnreadable:          http.StatusBadRequest,
	models.CodeInvalid:             http.StatusUnprocessableEntity,
	models.CodeUnauthenticated:     http.StatusUnauthorized,
	models.CodeSecondFactor:        http.StatusUnauthorized,
	models.CodeForbidden:           http.StatusForbidden,
	models.CodeReauthentication:    http.StatusForbidden,
	models.CodeNotFound:            http.StatusNotFound,
	models.CodeMethodNotAllowed:    http.StatusMethodNotAllowed,
	models.CodeConflict:            http.StatusConflict,
	models.CodeTooLarge:            http.StatusRequestEntityTooLarge,
	models.CodeUnsupportedMedia:    http.StatusUnsupportedMediaType,
	models.CodeIdempotencyMismatch: http.StatusUnprocessableEntity,
	models.CodeLocked:              http.StatusLocked,
	models.CodeRateLimited:         http.StatusTooManyRequests,
	models.CodeInternal:            http.StatusInternalServerError,
	models.CodeUnavailable:         http.StatusServiceUnavailable,
}

// StatusOf is the HTTP status of a refusal.
func StatusOf(code models.Code) int { return statuses[code] }

// Codes are all that a refusal can have, in order.
func Codes() []models.Code {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(statuses)), func(code models.Code) bool { return code == models.CodeUnreadable })
}

// Problem is the body of every refusal (RFC 9457).
type Problem struct {
	Type         string              `json:"type" doc:"about:blank: the code says which problem it is"`
	Title        string              `json:"title"`
	Status       int                 `json:"status"`
	Detail       string              `json:"detail,omitempty"`
	Code         models.Code         `json:"code" doc:"Stable, for programs"`
	Errors       []models.FieldError `json:"errors,omitempty" doc:"What is wrong with which field; never the value"`
	Reason       string              `json:"reason,omitempty" doc:"Why a session has ended"`
	AttemptsLeft *int                `json:"attempts_left,omitempty" doc:"Wrong passwords left before the session ends"`
	End          *int64              `json:"end,omitempty" doc:"Where the log ends that was to be added to"`

	retryAfter int // seconds
}

// Error makes a Problem an error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType turns application/json into application/problem+json, for huma.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

var errInternal = models.Errorf(models.CodeInternal, "Something went wrong on our side. It has been logged.")

// problemOf turns any error into what the caller may know of it.
func problemOf(err error) *Problem {
	e, ok := errors.AsType[*models.Error](err)
	switch {
	case ok:
	case services.IsPassing(err), errors.Is(err, context.Canceled):
		e = models.Unavailable(err)
	default:
		e = errInternal
	}
	code := e.Code
	if code == models.CodeUnreadable {
		code = models.CodeInvalid
	}
	status := statuses[e.Code]
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Detail, Code: code,
		Errors: e.Fields, Reason: e.Reason, AttemptsLeft: e.AttemptsLeft, End: e.End, retryAfter: int(math.Ceil(e.RetryAfter.Seconds()))}
}

// logged writes the cause of a fault of ours into the log; a refusal is no news.
func logged(ctx context.Context, log *slog.Logger, p *Problem, err error) {
	refusal, ok := errors.AsType[*models.Error](err)
	switch {
	case ok && refusal.Code == models.CodeUnavailable && refusal.Err == nil: // a limit, not a fault; who meets it may do so a thousand times a second
	case errors.Is(err, context.Canceled): // whoever asked has gone, and may do so a thousand times a second
	case p.Status == http.StatusServiceUnavailable:
		log.WarnContext(ctx, "a request could not be answered", "error", err)
	case p.Status >= http.StatusInternalServerError:
		log.ErrorContext(ctx, "a request failed", "error", err)
	}
}

// Refuse answers a Gin request with a problem and ends its chain.
func Refuse(c *gin.Context, log *slog.Logger, err error) {
	p := ProblemOf(c.Request.Context(), log, err)
	body, err := json.Marshal(p)
	if err != nil {
		panic("middleware: a problem has no JSON: " + err.Error()) // strings and numbers always have
	}
	RetryAfter(c, p)
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Length", strconv.Itoa(len(body)))
	c.Abort()
	c.Data(p.Status, problemType, body)
}

// RetryAfter says when to come again, where the problem is one of time, for an answer of another shape.
func RetryAfter(c *gin.Context, p *Problem) {
	if p.retryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(p.retryAfter))
	}
}

// init makes huma speak of every refusal as a Problem: it keeps the making of errors in a variable of
// its own. Its model repeats the rejected value, and a rejected value may be a password.
func init() {
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError { return humaProblem(status, errs) }
	huma.ValidateStrictCasing = true // "Title" is an unknown field
}

// Refusal turns what a handler failed with into what huma answers, with the headers that came with it.
func Refusal(ctx context.Context, log *slog.Logger, err error) error {
	p := ProblemOf(ctx, log, err)
	header := http.Header{}
	if with, ok := errors.AsType[huma.HeadersError](err); ok {
		header = with.GetHeaders()
	}
	if p.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	return huma.ErrorWithHeaders(p, header)
}

// humaProblem translates what huma itself found wrong with the input.
func humaProblem(status int, errs []error) *Problem {
	e := &models.Error{Code: models.CodeInvalid, Detail: "The input is not valid."}
	switch status {
	case http.StatusBadRequest:
		e.Code, e.Detail = models.CodeUnreadable, "The body cannot be read as JSON."
	case http.StatusUnsupportedMediaType:
		e.Code, e.Detail = models.CodeUnsupportedMedia, "Send application/json."
	case http.StatusRequestEntityTooLarge:
		e.Code, e.Detail = models.CodeTooLarge, "The body is too large."
	case http.StatusInternalServerError:
		e = errInternal
	}
	if e.Code == models.CodeInvalid {
		for _, err := range errs {
			if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
				e.Fields = append(e.Fields, models.FieldError{Field: fieldOf(placeOf(d)), Detail: detailOf(d.Message)})
			}
		}
	}
	return problemOf(e)
}

// ProblemOf is what the caller may know of an error that concerns one of many things, to stand in an answer.
func ProblemOf(ctx context.Context, log *slog.Logger, err error) *Problem {
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		p = problemOf(err)
		logged(ctx, log, p, err)
	}
	return p
}

// placeOf is where what is wrong is. Of a member that is missing huma gives the place of its object, and the name in words.
func placeOf(d *huma.ErrorDetail) string {
	if rest, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return d.Location + "." + name
	}
	return d.Location
}

// fieldOf takes away where huma found a field: the caller knows its own request.
func fieldOf(location string) string {
	for _, place := range []string{"body", "query", "path", "header"} {
		if rest, ok := strings.CutPrefix(location, place+"."); ok {
			return rest
		}
	}
	return location
}

// detailOf lets through only huma's words that cannot hold a value.
func detailOf(message string) string {
	for _, safe := range []string{"expected ", "unexpected property", "invalid integer", "invalid boolean", "required "} {
		if strings.HasPrefix(message, safe) {
			return strings.ToUpper(message[:1]) + message[1:] + "."
		}
	}
	return "Not valid."
}
