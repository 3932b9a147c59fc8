package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"belfry/models"
)

// TestProblemOf: each error becomes what its caller may know of it, and no more.
func TestProblemOf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err    error
		status int
		code   models.Code
		after  int
	}{
		{models.Errorf(models.CodeUnreadable, "x"), 400, models.CodeInvalid, 0},
		{models.InvalidField("f", "d"), 422, models.CodeInvalid, 0},
		{models.ErrNotFound, 404, models.CodeNotFound, 0},
		{fmt.Errorf("while reading: %w", models.ErrNotFound), 404, models.CodeNotFound, 0},
		{&models.Error{Code: models.CodeRateLimited, Detail: "x", RetryAfter: 1001 * time.Millisecond}, 429, models.CodeRateLimited, 2},
		{models.Unavailable(errors.New("secret cause")), 503, models.CodeUnavailable, 2},
		{context.DeadlineExceeded, 503, models.CodeUnavailable, 2},
		{fmt.Errorf("reading: %w", context.Canceled), 503, models.CodeUnavailable, 2},
		{errors.New("secret cause"), 500, models.CodeInternal, 0},
	} {
		p := problemOf(row.err)
		if p.Status != row.status || p.Code != row.code || p.retryAfter != row.after || p.Title != http.StatusText(row.status) {
			t.Errorf("%v: %+v", row.err, p)
		}
		text, err := json.Marshal(p)
		if err != nil || strings.Contains(string(text), "secret") {
			t.Errorf("%v: %s %v", row.err, text, err)
		}
	}
}

// TestWhoHasGoneIsNoNews, nor is who meets a limit: else anybody could fill the log, and set off the alert of errors.
func TestWhoHasGoneIsNoNews(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		fmt.Errorf("reading: %w", context.Canceled): "", context.DeadlineExceeded: "level=WARN", errors.New("of ours"): "level=ERROR",
		models.Unavailable(errors.New("the database")): "level=WARN", models.Errorf(models.CodeUnavailable, "too many at once"): "",
	} {
		var out strings.Builder
		logged(t.Context(), slog.New(slog.NewTextHandler(&out, nil)), problemOf(err), err)
		if got := out.String(); !strings.Contains(got, want) || (want == "" && got != "") {
			t.Errorf("%v is told as %q, want %q", err, got, want)
		}
	}
}

// TestStatuses: every code there is has a status, or its problem would have none.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, code := range []models.Code{models.CodeUnreadable, models.CodeInvalid, models.CodeUnauthenticated, models.CodeForbidden, models.CodeReauthentication, models.CodeNotFound,
		models.CodeMethodNotAllowed, models.CodeConflict, models.CodeTooLarge, models.CodeUnsupportedMedia, models.CodeIdempotencyMismatch, models.CodeLocked, models.CodeRateLimited,
		models.CodeInternal, models.CodeUnavailable} {
		if statuses[code] < 400 || http.StatusText(statuses[code]) == "" {
			t.Errorf("%s: %d", code, statuses[code])
		}
	}
}

// TestHumaProblem: of what huma says only what cannot hold a value is passed on.
func TestHumaProblem(t *testing.T) {
	t.Parallel()
	err := huma.NewError(422, "validation failed for hunter2",
		&huma.ErrorDetail{Location: "body.password", Message: "expected string", Value: "hunter2"},
		&huma.ErrorDetail{Location: "query.limit", Message: "cannot read hunter2", Value: "hunter2"},
		errors.New("hunter2"))
	text, fault := json.Marshal(err)
	if fault != nil || strings.Contains(string(text), "hunter2") {
		t.Errorf("%s %v", text, fault)
	}
	var p Problem
	if err := json.Unmarshal(text, &p); err != nil || len(p.Errors) != 2 || p.Errors[0] != (models.FieldError{Field: "password", Detail: "Expected string."}) || p.Errors[1].Field != "limit" {
		t.Errorf("%+v", p)
	}
}

// TestMissingMemberIsTheField: whoever fills in a form is told at the field, be it there or not.
func TestMissingMemberIsTheField(t *testing.T) {
	t.Parallel()
	type link struct {
		URL string `json:"url"`
	}
	type form struct {
		Title string `json:"title"`
		Links []link `json:"links"`
	}
	registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	schema := registry.Schema(reflect.TypeFor[form](), false, "")
	found, at := &huma.ValidateResult{}, huma.NewPathBuffer(nil, 0)
	at.Push("body")
	huma.Validate(registry, schema, at, huma.ModeWriteToServer, map[string]any{"links": []any{map[string]any{}}}, found)
	var fields []string
	for _, f := range humaProblem(422, found.Errors).Errors {
		fields = append(fields, f.Field)
	}
	if want := []string{"title", "links[0].url"}; !slices.Equal(slices.Sorted(slices.Values(fields)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%q, want %q", fields, want)
	}
}
