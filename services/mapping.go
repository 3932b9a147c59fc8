package services

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/theory/jsonpath"

	"belfry/models"
)

// Reading is a mapping that can be applied to a call.
type Reading struct {
	items    *jsonpath.Path // nil = the call itself
	values   map[string]finder
	severity *models.SeverityMapping
}

// finder finds the value of one member; nil = there is none.
type finder func(from any) any

// The members of a mapping that a [Reading] gives as text.
const (
	MappedTitle       = "title"
	MappedBody        = "body"
	MappedCategory    = "category"
	MappedURL         = "url"
	MappedCollapseKey = "collapse_key"
	MappedOnce        = "idempotency_key"

	mappedSeverity = "severity.from"
)

// ReadingOf checks a mapping and makes what applies it.
func ReadingOf(m *models.Mapping) (*Reading, error) {
	r := &Reading{values: map[string]finder{}, severity: m.Severity}
	var faults []models.FieldError
	fault := func(member, detail string) {
		faults = append(faults, models.FieldError{Field: "mapping." + member, Detail: detail})
	}
	texts := map[string]string{MappedTitle: m.Title, MappedBody: m.Body, MappedCategory: m.Category, MappedURL: m.URL,
		MappedCollapseKey: m.CollapseKey, MappedOnce: m.IdempotencyKey}
	if m.Severity != nil {
		texts[mappedSeverity] = m.Severity.From
		severityFaults(m.Severity, fault)
	}
	for member, text := range texts {
		if find, ok := finderOf(text); !ok {
			fault(member, fmt.Sprintf("A path of RFC 9535 to one value, as in $.alert['name'] or $[0], or a text that does not begin with $; at most %d bytes.", models.MaxMappingPath))
		} else if find != nil {
			r.values[member] = find
		}
	}
	if m.Items != "" {
		var ok bool
		if r.items, ok = itemsPath(m.Items); !ok {
			fault("items", fmt.Sprintf("A path of RFC 9535, as in $.alerts[*] or $.events[?@.level == 'error'], with one selector a segment, without .. and functions, and without $ within a filter; at most %d bytes.", models.MaxMappingPath))
		}
	}
	slices.SortFunc(faults, func(a, b models.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return r, refuse(faults)
}

func severityFaults(s *models.SeverityMapping, fault func(member, detail string)) {
	if !strings.HasPrefix(s.From, "$") {
		fault(mappedSeverity, "A path.")
	}
	if s.Default != "" && !slices.Contains(severities, s.Default) {
		fault("severity.default", "One of "+strings.Join(severities, ", ")+".")
	}
	if len(s.Values) > models.MaxMappingValues {
		fault("severity.values", fmt.Sprintf("At most %d.", models.MaxMappingValues))
	}
	for said, severity := range s.Values {
		if utf8.RuneCountInString(said) > models.MaxMappingValue || said != strings.ToLower(said) || !slices.Contains(severities, severity) {
			fault("severity.values", fmt.Sprintf("From texts in lower case of at most %d characters to one of %s.", models.MaxMappingValue, strings.Join(severities, ", ")))
			return
		}
	}
}

// finderOf reads a path to one value, or a text that stands for itself. Such a path costs no more than it is long.
func finderOf(text string) (finder, bool) {
	switch {
	case text == "":
		return nil, true
	case len(text) > models.MaxMappingPath:
		return nil, false
	case text[0] != '$':
		return func(any) any { return text }, true
	}
	path, err := jsonpath.Parse(text)
	if err != nil || path.Query().Singular() == nil {
		return nil, false
	}
	return func(from any) any {
		if found := path.Select(from); len(found) == 1 {
			return found[0]
		}
		return nil
	}, true
}

// itemsPath reads a path to many values. What could select a value more than once, or look at all of a call for each of its
// values, is refused: the time it takes would grow with a power of the call's size.
func itemsPath(text string) (*jsonpath.Path, bool) {
	if len(text) > models.MaxMappingPath {
		return nil, false
	}
	path, err := jsonpath.Parse(text)
	return path, err == nil && selectsOnce(text)
}

// selectsOnce looks for unions, descendants, absolute queries within filters, and functions, outside of quotes. The library
// panics where a function is given what is not there.
func selectsOnce(path string) bool {
	var quote, before byte
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ',', c == '$' && i > 0, c == '.' && before == '.', c == '(' && before >= 'a' && before <= 'z':
			return false
		}
		before = path[i]
	}
	return true
}

// Items gives what a notice each is made of, in the order of the call.
func (r *Reading) Items(call any) []any {
	if r.items == nil {
		return []any{call}
	}
	return r.items.Select(call)
}

// Text is one member's value as text: a text as it is, a number or a truth as JSON writes it, and of a body also a list or an
// object. Empty = there is none.
func (r *Reading) Text(member string, item any) string {
	find := r.values[member]
	if find == nil {
		return ""
	}
	switch value := find(item).(type) {
	case nil:
		return ""
	case string:
		return value
	case []any, map[string]any:
		if member != MappedBody {
			return ""
		}
		return jsonText(value)
	default:
		return jsonText(value)
	}
}

func jsonText(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return ""
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// Severity is how severe an item is, by the mapping's table.
func (r *Reading) Severity(item any) string {
	if r.severity == nil {
		return ""
	}
	said := strings.ToLower(r.Text(mappedSeverity, item))
	if severity, known := r.severity.Values[said]; known {
		return severity
	}
	if slices.Contains(severities, said) {
		return said
	}
	return r.severity.Default
}
