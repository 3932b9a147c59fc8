package models

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestSilences goes through the cases that the client's own rule is held to as well.
func TestSilences(t *testing.T) {
	raw, err := os.ReadFile("../web/client/quiet_hours.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name               string
		Preferences        Preferences
		Category, Severity string
		At                 Instant
		Silent             bool
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 50 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		if faults := c.Preferences.Check(); faults != nil {
			t.Errorf("%s: %v", c.Name, faults)
		}
		if got := c.Preferences.Silences(c.Category, c.Severity, c.At); got != c.Silent {
			t.Errorf("%s: %v", c.Name, got)
		}
	}
}

// TestSilencesOfAnUnknownZone: it was stored by a server that knew it.
func TestSilencesOfAnUnknownZone(t *testing.T) {
	p := DefaultPreferences()
	p.QuietHours = &QuietHours{From: "00:00", To: "00:00", TimeZone: "Mars/Olympus", Days: weekdays}
	if p.Silences("", "info", 0) {
		t.Error("silent by a zone that is not known")
	}
}

func TestPreferencesLeftOut(t *testing.T) {
	for text, want := range map[string]Preferences{
		`{}`:               {Muted: []string{}, Popups: true, Theme: "system", Density: "comfortable"},
		`{"muted":null}`:   {Muted: []string{}, Popups: true, Theme: "system", Density: "comfortable"},
		`{"popups":false}`: {Muted: []string{}, Theme: "system", Density: "comfortable"},
		`{"theme":"dark"}`: {Muted: []string{}, Popups: true, Theme: "dark", Density: "comfortable"},
	} {
		got := Preferences{Sound: true, Theme: "light"} // what was there before must not stay
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestPreferencesCheck(t *testing.T) {
	night := func(change func(*QuietHours)) func(*Preferences) {
		return func(p *Preferences) {
			p.QuietHours = &QuietHours{From: "22:00", To: "07:00", TimeZone: "Europe/Berlin", Days: []string{"mon", "sun"}}
			change(p.QuietHours)
		}
	}
	zone := func(name string) func(*Preferences) {
		return night(func(q *QuietHours) { q.TimeZone = name })
	}
	for field, changes := range map[string][]func(*Preferences){
		"": {
			func(*Preferences) {}, night(func(*QuietHours) {}), zone("UTC"), zone("Etc/GMT+8"), zone("America/Argentina/ComodRivadavia"), zone("America/Port-au-Prince"),
			func(p *Preferences) { p.Muted = []string{strings.Repeat("é", 64), "x"} },
			func(p *Preferences) { p.Muted = slices.Repeat([]string{"x"}, 100) },
			func(p *Preferences) { p.Locale, p.Theme, p.Density = new("zh-CN"), "contrast", "compact" },
		},
		"muted":                 {func(p *Preferences) { p.Muted = slices.Repeat([]string{"x"}, 101) }},
		"muted[1]":              {func(p *Preferences) { p.Muted = []string{"x", ""} }, func(p *Preferences) { p.Muted = []string{"x", strings.Repeat("é", 65)} }},
		"locale":                {func(p *Preferences) { p.Locale = new("") }, func(p *Preferences) { p.Locale = new("de") }},
		"theme":                 {func(p *Preferences) { p.Theme = "" }},
		"density":               {func(p *Preferences) { p.Density = "loose" }},
		"quiet_hours.from":      {night(func(q *QuietHours) { q.From = "24:00" }), night(func(q *QuietHours) { q.From = "7:00" }), night(func(q *QuietHours) { q.From = "07:00\n" })},
		"quiet_hours.to":        {night(func(q *QuietHours) { q.To = "07:60" }), night(func(q *QuietHours) { q.To = "" })},
		"quiet_hours.days":      {night(func(q *QuietHours) { q.Days = nil })},
		"quiet_hours.days[1]":   {night(func(q *QuietHours) { q.Days = []string{"mon", "mon"} }), night(func(q *QuietHours) { q.Days = []string{"mon", "Tue"} })},
		"quiet_hours.time_zone": {zone(""), zone("Local"), zone("UTC+2"), zone("../etc/passwd"), zone("posix/UTC"), zone("europe/berlin"), zone("localtime"), zone("Europe/" + strings.Repeat("B", 64))},
	} {
		for i, change := range changes {
			p := DefaultPreferences()
			change(&p)
			faults := p.Check()
			if (field == "") != (len(faults) == 0) || (field != "" && faults[0].Field != field) || len(faults) > 1 {
				t.Errorf("%s, %d: %v", field, i, faults)
			}
		}
	}
}
