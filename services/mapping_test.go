package services

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/models"
)

// TestMappingIsChecked: each fault is told by its member, and never the value.
func TestMappingIsChecked(t *testing.T) {
	t.Parallel()
	long := "$." + strings.Repeat("a", models.MaxMappingPath)
	severity := func(from, fallback string, values map[string]string) models.Mapping {
		return models.Mapping{Severity: &models.SeverityMapping{From: from, Default: fallback, Values: values}}
	}
	many := map[string]string{}
	for i := range models.MaxMappingValues + 1 {
		many[fmt.Sprint(i)] = "info"
	}
	for _, c := range []struct {
		mapping models.Mapping
		fault   string
	}{
		{models.Mapping{}, ""},
		{models.Mapping{Items: "$.alerts[*]", Title: "$.a['b c'][0][-1]", Body: "Text, as it is.", URL: "$", Category: "ci", CollapseKey: "$.\u00fc", IdempotencyKey: "$.id"}, ""},
		{models.Mapping{Items: `$.events[?@.level == "a,b..$" && @.n >= 1.5 && (@.name != 'x' || !@.y)][1:3]`}, ""},
		{severity("$.level", "critical", map[string]string{"error": "warning", "": "info"}), ""},
		{models.Mapping{Title: "$.a["}, "mapping.title"},
		{models.Mapping{Title: "$.a.*"}, "mapping.title"},
		{models.Mapping{Body: "$..a"}, "mapping.body"},
		{models.Mapping{URL: "$['a','b']"}, "mapping.url"},
		{models.Mapping{Category: long}, "mapping.category"},
		{models.Mapping{CollapseKey: "$a"}, "mapping.collapse_key"},
		{models.Mapping{IdempotencyKey: "$[?@.a]"}, "mapping.idempotency_key"},
		{models.Mapping{Items: "alerts"}, "mapping.items"},
		{models.Mapping{Items: long}, "mapping.items"},
		{models.Mapping{Items: "$..*"}, "mapping.items"},
		{models.Mapping{Items: "$[*,*]"}, "mapping.items"},
		{models.Mapping{Items: "$[?@[0,0]]"}, "mapping.items"},
		{models.Mapping{Items: "$[?count($[*]) > 1]"}, "mapping.items"},
		{models.Mapping{Items: "$[?@..a]"}, "mapping.items"},
		{models.Mapping{Items: "$[?length(@.a) > 1]"}, "mapping.items"},
		{severity("level", "", nil), "mapping.severity.from"},
		{severity("$.*", "", nil), "mapping.severity.from"},
		{severity("$.a", "loud", nil), "mapping.severity.default"},
		{severity("$.a", "", map[string]string{"x": "loud"}), "mapping.severity.values"},
		{severity("$.a", "", map[string]string{"X": "info"}), "mapping.severity.values"},
		{severity("$.a", "", map[string]string{strings.Repeat("x", models.MaxMappingValue+1): "info"}), "mapping.severity.values"},
		{severity("$.a", "", many), "mapping.severity.values"},
	} {
		_, err := ReadingOf(&c.mapping)
		if c.fault == "" {
			must(t, err)
			continue
		}
		fields := refused(t, fmt.Sprintf("%+v", c.mapping), err, models.CodeInvalid).Fields
		if len(fields) != 1 || fields[0].Field != c.fault || strings.Contains(fields[0].Detail, "loud") {
			t.Errorf("%+v: %v", c.mapping, fields)
		}
	}
}

// TestReading: what is found of each kind of value.
func TestReading(t *testing.T) {
	t.Parallel()
	var call any
	decoder := json.NewDecoder(strings.NewReader(`{"list":[{"t":"a","n":12345678901234567890,"on":true,"o":{"x":"<>"},"none":null,"s":"ERROR"},{"t":"b","s":"Critical"},7,{"s":"odd"}]}`))
	decoder.UseNumber()
	must(t, decoder.Decode(&call))
	r := got(ReadingOf(&models.Mapping{Items: "$.list[*]", Title: "$.t", Body: "$.o", URL: "$.n", Category: "$.on", CollapseKey: "$.none", IdempotencyKey: "$.o",
		Severity: &models.SeverityMapping{From: "$.s", Values: map[string]string{"error": "warning"}, Default: "success"}}))(t)
	var told []string
	for _, item := range r.Items(call) {
		line := r.Severity(item)
		for _, member := range []string{MappedTitle, MappedBody, MappedURL, MappedCategory, MappedCollapseKey, MappedOnce} {
			line += "|" + r.Text(member, item)
		}
		told = append(told, line)
	}
	if want := []string{`warning|a|{"x":"<>"}|12345678901234567890|true||`, `critical|b|||||`, `success||||||`, `success||||||`}; !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
	whole := got(ReadingOf(&models.Mapping{Title: "$.list[2]", Body: "As it is"}))(t)
	if items := whole.Items(call); len(items) != 1 || whole.Text(MappedTitle, items[0]) != "7" || whole.Text(MappedBody, items[0]) != "As it is" || whole.Severity(items[0]) != "" {
		t.Errorf("%v", items)
	}
}

// TestReadingIsBounded: the dearest call for the dearest paths that are let through takes no more than its size. Without the
// bound a path of this length takes years.
func TestReadingIsBounded(t *testing.T) {
	t.Parallel()
	const size = 1 << 18
	wide := "[" + strings.Repeat("[1],", size/4-1) + "[1]]"
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	for _, path := range []string{
		"$" + strings.Repeat("[*]", 80), "$[?" + strings.Repeat("@[*]&&", 40) + "@[*]]", "$" + strings.Repeat("[?@", 60) + strings.Repeat("]", 60), "$[?@==@&&@==@]",
	} {
		r := got(ReadingOf(&models.Mapping{Items: path}))(t)
		for _, text := range []string{wide, deep} {
			var call any
			must(t, json.Unmarshal([]byte(text), &call))
			began := time.Now()
			r.Items(call)
			if took := time.Since(began); took > time.Minute {
				t.Errorf("%.20s… over %.9s…: %v", path, text, took)
			} else {
				t.Logf("%.20s… over %.9s…: %v", path, text, took)
			}
		}
	}
}

func FuzzReading(f *testing.F) {
	for _, seed := range []string{"$.a", "$[?@.a == 'x']", "$[1:3]", "$[?match(@.a, 'x') || length (@) < 3]", "$[?(@.a) < @[0]]", "text"} {
		f.Add(seed, `{"a":[{"a":"x"},1,null,true]}`)
	}
	f.Fuzz(func(_ *testing.T, path, text string) {
		var call any
		if len(text) > 1000 || json.Unmarshal([]byte(text), &call) != nil {
			return
		}
		if r, err := ReadingOf(&models.Mapping{Items: path}); err == nil {
			r.Items(call)
		}
		if r, err := ReadingOf(&models.Mapping{Body: path}); err == nil {
			r.Text(MappedBody, call)
		}
	})
}
