// Package models holds the rows, their limits and the rules that need nothing but themselves.
package models

import (
	"errors"
	"fmt"
	"time"
)

// Code is the stable word by which a client tells one refusal from another. The HTTP status of each
// is decided in one table, in middleware; a service never thinks in statuses.
type Code string

// The codes of the API. docs/integrate.md lists them for those who write programs against it.
const (
	CodeUnreadable          Code = "unreadable" // shown as "invalid": the body could not be read at all
	CodeInvalid             Code = "invalid"
	CodeUnauthenticated     Code = "unauthenticated"
	CodeSecondFactor        Code = "second_factor_required"
	CodeForbidden           Code = "forbidden"
	CodeReauthentication    Code = "reauthentication_required"
	CodeNotFound            Code = "not_found"
	CodeMethodNotAllowed    Code = "method_not_allowed"
	CodeConflict            Code = "conflict"
	CodeTooLarge            Code = "too_large"
	CodeUnsupportedMedia    Code = "unsupported_media_type"
	CodeIdempotencyMismatch Code = "idempotency_mismatch"
	CodeLocked              Code = "locked"
	CodeRateLimited         Code = "rate_limited"
	CodeInternal            Code = "internal"
	CodeUnavailable         Code = "unavailable"
)

// FieldError says what is wrong with one field of the input, never which value it had.
type FieldError struct {
	Field  string `json:"field" doc:"Where in the input, as a dotted path"`
	Detail string `json:"detail" doc:"What is expected there"`
}

// Error is a refusal meant for the caller. Whatever is not one is a fault of ours: it is logged in
// full and shown as a fixed text.
type Error struct {
	Code   Code
	Detail string
	Fields []FieldError

	// Reason and AttemptsLeft travel beside a 401 of a session that ended, or of a wrong password.
	Reason       string
	AttemptsLeft *int

	// End travels beside a 409: where the log that was to be added to ends.
	End *int64

	// RetryAfter is shown in whole seconds, rounded up; 0 leaves the header out.
	RetryAfter time.Duration

	// Err is the cause, for the log alone.
	Err error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Detail + ": " + e.Err.Error()
	}
	return e.Detail
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes a refusal of the given code, whose detail is formatted as by [fmt.Sprintf].
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// InvalidField refuses one field of an otherwise readable input.
func InvalidField(field, detail string) *Error {
	return &Error{Code: CodeInvalid, Detail: "The input is not valid.", Fields: []FieldError{{Field: field, Detail: detail}}}
}

// ErrNotFound is the answer for what does not exist and for what is somebody else's alike, so that
// ids cannot be probed.
var ErrNotFound = &Error{Code: CodeNotFound, Detail: "There is nothing here."}

// CodeOf gives the code of a refusal, and CodeInternal for any other error.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// databaseRetry is how long a client is asked to wait when the database is away. Short, because a
// restart of PostgreSQL takes seconds.
const databaseRetry = 2 * time.Second

// Unavailable wraps a fault of the database or of a full queue: the request may be repeated.
func Unavailable(err error) *Error {
	return &Error{Code: CodeUnavailable, Detail: "The service cannot answer right now; try again.", RetryAfter: databaseRetry, Err: err}
}
