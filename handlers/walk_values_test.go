package handlers_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// raw is a JSON text, or what only looks like one.
type raw string

// anything is a value of each type, and such as decoders stumble over.
var anything = []raw{`null`, `true`, `0`, `-1`, `1.5`, `9223372036854775808`, `1e400`, `-0`, `""`, `"x"`, `"\u0000"`, `"\ud800"`, "\"\xff\"", "\"\x00\"", `[]`, `[null]`, `[[[]]]`, `{}`, `{"":null}`}

// texts are strings that are awkward and allowed, or too much.
var texts = []string{" ", "0", "-1", "null", "__proto__", "a/b", "../x", "%2e", "*", "\u202e\U0001F514\u0301", "' OR 1=1 --", "\x7f\u2028", strings.Repeat("é", 300), strings.Repeat("a", 20000)}

// moments are times that are just possible, or just not.
var moments = []string{"2030-01-01T00:00:00Z", "2030-01-01T00:00:00.123456789+14:00", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59",
	"2030-02-30T00:00:00Z", "2030-12-31T23:59:60Z", "+010000-01-01T00:00:00Z", "2030-01-01", "1893456000"}

// sample is the plainest value that a schema takes.
func sample(s *openapi3.Schema) raw {
	switch {
	case len(s.Enum) > 0:
		return quoted(fmt.Sprint(s.Enum[0]))
	case s.Type.Includes("object"):
		members := map[string]raw{}
		for _, name := range s.Required {
			members[name] = sample(s.Properties[name].Value)
		}
		return object(members)
	case s.Type.Includes("array"):
		return "[]"
	case s.Type.Includes("integer"), s.Type.Includes("number"):
		return raw(strconv.Itoa(int(least(s))))
	case s.Type.Includes("boolean"):
		return "true"
	case s.Format == "date-time":
		return quoted(moments[0])
	}
	return quoted(strings.Repeat("x", max(1, int(s.MinLength))))
}

// edges are values at the bounds of a schema, and beyond them. base are the members of an object that are right.
func edges(s *openapi3.Schema, base map[string]raw) []raw {
	values := slices.Clone(anything)
	switch {
	case s.Type.Includes("object"):
		values = append(values, objectEdges(s, base)...)
	case s.Type.Includes("array") && s.Items != nil:
		for _, item := range edges(s.Items.Value, nil) {
			values = append(values, "["+item+"]")
		}
		one := sample(s.Items.Value)
		values = append(values, "["+one+"]", "["+one+","+one+"]", repeated(one, 2000))
		if s.MaxItems != nil {
			values = append(values, repeated(one, int(*s.MaxItems)), repeated(one, int(*s.MaxItems)+1))
		}
	case s.Type.Includes("integer"), s.Type.Includes("number"):
		for _, n := range bounds(s) {
			values = append(values, raw(n))
		}
	case s.Type.Includes("string"):
		for _, text := range stringEdges(s) {
			values = append(values, quoted(text))
		}
	}
	return values
}

// objectEdges changes one member at a time.
func objectEdges(s *openapi3.Schema, base map[string]raw) []raw {
	if base == nil {
		base = map[string]raw{}
		for _, name := range s.Required {
			base[name] = sample(s.Properties[name].Value)
		}
	}
	values := []raw{object(base), object(with(base, "unknown", "1")), object(with(base, "__proto__", "{}"))}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		member := s.Properties[name].Value
		without := maps.Clone(base)
		delete(without, name)
		there := quoted(name) + ":" + sample(member)
		values = append(values, object(without), object(with(without, strings.ToUpper(name), sample(member))),
			object(with(base, name, sample(member))), raw(strings.TrimSuffix(string(object(with(base, name, sample(member)))), "}"))+","+there+"}")
		for _, value := range edges(member, nil) {
			values = append(values, object(with(base, name, value)))
		}
	}
	return values
}

func stringEdges(s *openapi3.Schema) []string {
	values := slices.Clone(texts)
	if s.Format == "date-time" {
		values = append(values, moments...)
	}
	for _, value := range s.Enum {
		if value != nil {
			values = append(values, fmt.Sprint(value), strings.ToUpper(fmt.Sprint(value)))
		}
	}
	if s.MaxLength != nil {
		values = append(values, strings.Repeat("\U0001F514", int(*s.MaxLength)), strings.Repeat("x", int(*s.MaxLength)+1))
	}
	return append(values, strings.Repeat("x", int(s.MinLength)))
}

// bounds are numbers about those that a schema names, as texts.
func bounds(s *openapi3.Schema) []string {
	values := []string{"0", "1", "-1", "+1", "01", "1.0", "0x1", "2147483648", "9007199254740993", "9223372036854775807", "-9223372036854775808", "1e2"}
	for _, bound := range []*float64{s.Min, s.Max} {
		if bound != nil {
			values = append(values, strconv.Itoa(int(*bound)-1), strconv.Itoa(int(*bound)), strconv.Itoa(int(*bound)+1))
		}
	}
	return values
}

func least(s *openapi3.Schema) float64 {
	if s.Min != nil {
		return *s.Min
	}
	return 1
}

func with(members map[string]raw, name string, value raw) map[string]raw {
	more := maps.Clone(members)
	more[name] = value
	return more
}

// object writes members as they are: an encoder would mend what is to be wrong.
func object(members map[string]raw) raw {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		parts = append(parts, string(quoted(name)+":"+members[name]))
	}
	return raw("{" + strings.Join(parts, ",") + "}")
}

func repeated(one raw, times int) raw {
	return "[" + raw(strings.TrimSuffix(strings.Repeat(string(one)+",", times), ",")) + "]"
}

// quoted is text as JSON; all but what JSON wants escaped is left as it is.
func quoted(text string) raw {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range []byte(text) {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(r)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteByte(r)
		}
	}
	return raw(b.String() + `"`)
}
