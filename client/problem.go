package client

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// FieldError says what is wrong with one field of the input.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Problem is a refusal by the server (RFC 9457). Code is stable and made for programs; Title and Detail
// are for people.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   string       `json:"code"`
	Errors []FieldError `json:"errors"`

	AttemptsLeft *int   `json:"attempts_left"` // at a wrong password to unlock by
	End          *int64 `json:"end"`           // of a task's log, where what was sent does not join it

	// RetryAfter is how long the server asks to wait; 0 when it does not say.
	RetryAfter time.Duration `json:"-"`
}

// Error is one line with everything that the server said.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if text == "" {
		text = "status " + strconv.Itoa(p.Status)
	}
	if len(p.Errors) == 0 {
		return text
	}
	fields := make([]string, len(p.Errors))
	for i, e := range p.Errors {
		fields[i] = e.Field + ": " + e.Detail
	}
	return strings.TrimRight(text, ".:") + ": " + strings.Join(fields, "; ")
}

// problemOf reads a refusal. What is not problem+json comes from something between us and Belfry, and
// its text would help nobody.
func problemOf(resp *http.Response, text []byte) *Problem {
	p := &Problem{}
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(media) != "application/problem+json" || json.Unmarshal(text, p) != nil {
		p = &Problem{Title: "the server answered " + strings.ToLower(resp.Status)}
	}
	p.Status = resp.StatusCode
	p.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return p
}

// retryAfter reads the header's two forms, seconds and a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
