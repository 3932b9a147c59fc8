package cli

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"belfry/client"
	"belfry/config"
	"belfry/models"
)

// describe puts an error into words for the person at the terminal, with the fields of bad input.
func describe(err error) string {
	if unreached, ok := errors.AsType[*url.Error](err); ok {
		return "BELFRY_URL cannot be reached: " + oneLine(unreached.Err.Error())
	}
	if faults, ok := errors.AsType[config.Faults](err); ok {
		return faults.Error()
	}
	text := oneLine(err.Error())
	refusal, ok := errors.AsType[*models.Error](err)
	if !ok || len(refusal.Fields) == 0 {
		return text
	}
	fields := make([]string, len(refusal.Fields))
	for i, f := range refusal.Fields {
		fields[i] = f.Field + ": " + strings.TrimRight(f.Detail, ".")
	}
	return strings.TrimRight(text, ".") + ": " + strings.Join(fields, "; ")
}

// oneLine folds an error that others wrote over several lines, for scripts and logs that read by line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// unknown says what was not found, which the services and the API leave open.
func unknown(err error, format string, names ...any) error {
	missing := models.CodeOf(err) == models.CodeNotFound
	if p, ok := errors.AsType[*client.Problem](err); ok {
		missing = p.Code == string(models.CodeNotFound)
	}
	if missing {
		return fmt.Errorf("there is no "+format, names...)
	}
	return err
}
