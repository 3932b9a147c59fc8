package services

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"belfry/models"
)

var (
	formats    = []string{"text", "markdown"}
	severities = []string{"info", "success", "warning", "critical"}
)

// CheckContent completes a notice with its defaults and names everything that is wrong with it. Publish calls it; it is
// exported for the test that holds it against what the API's description says.
func CheckContent(c *models.NoticeContent, to Target) error { return refuse(contentFaults(c, to)) }

func contentFaults(c *models.NoticeContent, to Target) (faults []models.FieldError) {
	fault := func(field, format string, args ...any) {
		faults = append(faults, models.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	if len(to.Users)+len(to.Groups) == 0 && !to.Everyone {
		fault("to", "At least one user or group, or everyone.")
	}
	if len(to.Users)+len(to.Groups) > models.MaxRecipients {
		fault("to", "At most %d names.", models.MaxRecipients)
	}
	if n := utf8.RuneCountInString(c.Title); n < 1 || n > models.MaxTitle {
		fault("title", "1 to %d characters.", models.MaxTitle)
	}
	if len(c.Body) > models.MaxBody {
		fault("body", "At most %d bytes.", models.MaxBody)
	}
	c.Format = cmp.Or(c.Format, formats[0])
	if !slices.Contains(formats, c.Format) {
		fault("format", "One of %s.", strings.Join(formats, ", "))
	}
	c.Severity = cmp.Or(c.Severity, severities[0])
	if !slices.Contains(severities, c.Severity) {
		fault("severity", "One of %s.", strings.Join(severities, ", "))
	}
	checkShort(c.Category, models.MaxCategory, "category", fault)
	checkShort(c.CollapseKey, models.MaxCollapseKey, "collapse_key", fault)
	checkData(c, fault)
	checkLinks(c, fault)
	if c.ExpiresAt != nil && !c.ExpiresAt.Time().After(time.Now()) {
		fault("expires_at", "A time to come.")
	}
	return faults
}

func checkShort(value *string, limit int, field string, fault func(field, format string, args ...any)) {
	if value == nil {
		return
	}
	if n := utf8.RuneCountInString(*value); n < 1 || n > limit {
		fault(field, "1 to %d characters.", limit)
	}
}

// checkData keeps the data as it came, but for white space: line ends in it would cost a stream's
// reader a line each.
func checkData(c *models.NoticeContent, fault func(field, format string, args ...any)) {
	if len(c.Data) == 0 {
		c.Data = json.RawMessage("null")
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, c.Data); err != nil {
		fault("data", "An object.")
		return
	}
	c.Data = compact.Bytes()
	if c.Data[0] != '{' && string(c.Data) != "null" {
		fault("data", "An object.")
	}
	if len(c.Data) > models.MaxData {
		fault("data", "At most %d bytes.", models.MaxData)
	}
}

func checkLinks(c *models.NoticeContent, fault func(field, format string, args ...any)) {
	const rule = "An http or https address, or a path that begins with one slash; at most 2,048 bytes."
	if c.URL != nil && !ValidLink(*c.URL) {
		fault("url", rule)
	}
	if c.Actions == nil {
		c.Actions = []models.Action{}
	}
	if len(c.Actions) > models.MaxActions {
		fault("actions", "At most %d.", models.MaxActions)
	}
	for i, a := range c.Actions {
		if n := utf8.RuneCountInString(a.Label); n < 1 || n > models.MaxActionLabel {
			fault(fmt.Sprintf("actions[%d].label", i), "1 to %d characters.", models.MaxActionLabel)
		}
		if !ValidLink(a.URL) {
			fault(fmt.Sprintf("actions[%d].url", i), rule)
		}
	}
}

// ValidLink lets through what cannot run as a script and cannot leave the site unseen: browsers drop
// tabs and line ends from an address and take a backslash for a slash, so "/\host" is another host.
func ValidLink(link string) bool {
	if link == "" || len(link) > models.MaxURL || strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return false
	}
	u, err := url.Parse(link)
	if err != nil {
		return false
	}
	if strings.HasPrefix(link, "/") {
		return !strings.HasPrefix(link, "//")
	}
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
