package models

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // quiet hours are kept by their zone where the machine has no list of zones, as in a container
	"unicode/utf8"
)

// MaxMuted is how many categories a person may mute.
const MaxMuted = 100

// What can be chosen; the first is what nobody has to choose.
var (
	themes    = []string{"system", "light", "dark", "contrast"}
	densities = []string{"comfortable", "compact"}
	locales   = []string{"en", "zh-CN"}
	weekdays  = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday counts them
)

// Preferences are what a person has chosen, on all of their devices.
type Preferences struct {
	Muted      []string    `json:"muted" required:"false" nullable:"false" maxItems:"100" doc:"Categories of 1 to 64 characters that do not pop up, sound or push; left out: none"`
	QuietHours *QuietHours `json:"quiet_hours" required:"false"`
	Popups     bool        `json:"popups" required:"false" doc:"Left out: true"`
	Sound      bool        `json:"sound" required:"false" doc:"Left out: false"`
	Locale     *string     `json:"locale" required:"false" nullable:"true" enum:"en,zh-CN" doc:"Null follows the browser"`
	Theme      string      `json:"theme" required:"false" enum:"system,light,dark,contrast" doc:"Left out: system"`
	Density    string      `json:"density" required:"false" enum:"comfortable,compact" doc:"Left out: comfortable"`
}

// QuietHours is when nothing is to pop up, sound or be pushed, critical notices apart. They begin at From on each of Days
// and end at To of the same day, or of the next where To is not after From.
type QuietHours struct {
	From     string   `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"HH:MM"`
	To       string   `json:"to" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"At or before from: of the next day"`
	TimeZone string   `json:"time_zone" maxLength:"64" doc:"IANA, such as Asia/Shanghai"`
	Days     []string `json:"days" nullable:"false" minItems:"1" maxItems:"7" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"On which they begin, each once"`

	_ struct{} `nullable:"true"` // in the API's description: null is no quiet hours
}

// UnmarshalJSON takes the default for what is left out: the same for what a client sends, and for what was stored before
// there was such a choice.
func (p *Preferences) UnmarshalJSON(b []byte) error {
	type plain Preferences
	chosen := plain{Popups: true, Theme: themes[0], Density: densities[0]}
	if err := json.Unmarshal(b, &chosen); err != nil {
		return err
	}
	if chosen.Muted == nil {
		chosen.Muted = []string{}
	}
	*p = Preferences(chosen)
	return nil
}

// DefaultPreferences are those of who has chosen nothing.
func DefaultPreferences() Preferences {
	var p Preferences
	if err := p.UnmarshalJSON([]byte("{}")); err != nil {
		panic("models: preferences without defaults: " + err.Error()) // an empty object is always one
	}
	return p
}

// Check names everything that is wrong.
func (p *Preferences) Check() (faults []FieldError) {
	fault := func(field, format string, args ...any) {
		faults = append(faults, FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	if len(p.Muted) > MaxMuted {
		fault("muted", "At most %d.", MaxMuted)
	}
	for i, category := range p.Muted {
		if n := utf8.RuneCountInString(category); n < 1 || n > MaxCategory {
			fault(fmt.Sprintf("muted[%d]", i), "1 to %d characters.", MaxCategory)
		}
	}
	if p.Locale != nil && !slices.Contains(locales, *p.Locale) {
		fault("locale", "One of %s, or null.", strings.Join(locales, ", "))
	}
	if !slices.Contains(themes, p.Theme) {
		fault("theme", "One of %s.", strings.Join(themes, ", "))
	}
	if !slices.Contains(densities, p.Density) {
		fault("density", "One of %s.", strings.Join(densities, ", "))
	}
	if p.QuietHours != nil {
		p.QuietHours.check(fault)
	}
	return faults
}

func (q *QuietHours) check(fault func(field, format string, args ...any)) {
	if _, ok := minuteOf(q.From); !ok {
		fault("quiet_hours.from", "A time as HH:MM.")
	}
	if _, ok := minuteOf(q.To); !ok {
		fault("quiet_hours.to", "A time as HH:MM.")
	}
	if _, ok := zone(q.TimeZone); !ok {
		fault("quiet_hours.time_zone", "The name of a time zone, such as Europe/Berlin.")
	}
	for i, day := range q.Days {
		if !slices.Contains(weekdays, day) || slices.Contains(q.Days[:i], day) {
			fault(fmt.Sprintf("quiet_hours.days[%d]", i), "One of mon, tue, wed, thu, fri, sat, sun, each once.")
		}
	}
	if len(q.Days) == 0 {
		fault("quiet_hours.days", "At least one day.")
	}
}

// Silences reports whether a notice of that moment is not to pop up, sound or be pushed: its category ("" = none) is muted,
// or the hours are quiet. A critical one breaks through both. Whether the person wants pop-ups at all is another question.
func (p *Preferences) Silences(category, severity string, at Instant) bool {
	if severity == "critical" {
		return false
	}
	return (category != "" && slices.Contains(p.Muted, category)) || (p.QuietHours != nil && p.QuietHours.cover(at))
}

// cover compares what the clock on the wall shows, or has shown: where it is set back an hour comes twice, and what began
// or ended in that hour has done so the first time. Where it is set forward, a time that is left out comes when it is.
func (q *QuietHours) cover(at Instant) bool {
	from, fromOK := minuteOf(q.From)
	to, toOK := minuteOf(q.To)
	place, placeOK := zone(q.TimeZone)
	if !fromOK || !toOK || !placeOK {
		return false // as stored by a server that knew more zones: better heard than lost
	}
	wall := furthest(at.Time().In(place))
	minute := wall.Hour()*60 + wall.Minute()
	today, yesterday := slices.Contains(q.Days, weekdays[wall.Weekday()]), slices.Contains(q.Days, weekdays[(wall.Weekday()+6)%7])
	if from < to {
		return today && from <= minute && minute < to
	}
	return (today && from <= minute) || (yesterday && minute < to)
}

// furthest is the latest that the clock on the wall has shown up to a moment, as if it were UTC. After it was set back that
// is more than it shows, until it has caught up.
func furthest(at time.Time) time.Time {
	shows := func(t time.Time) time.Time {
		_, offset := t.Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second)
	}
	now := shows(at)
	if since, _ := at.ZoneBounds(); !since.IsZero() {
		if before := shows(since.Add(-time.Millisecond)); before.After(now) {
			return before
		}
	}
	return now
}

var (
	timeOfDay   = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	zonePattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9+_-]*(/[A-Z][A-Za-z0-9+_-]*)*$`)
)

// minuteOf is a time of day in minutes.
func minuteOf(text string) (int, bool) {
	if !timeOfDay.MatchString(text) {
		return 0, false
	}
	digit := func(i int) int { return int(text[i] - '0') }
	return (digit(0)*10+digit(1))*60 + digit(3)*10 + digit(4), true
}

// zone finds a zone by its name in IANA's list. "Local" and "" are names to Go alone, and a machine may have files of
// other names, such as posix/UTC, that others do not.
func zone(name string) (*time.Location, bool) {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), true
	}
	if name == "Local" || len(name) > maxZone || !zonePattern.MatchString(name) {
		return nil, false
	}
	place, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	zones.Store(name, place)
	return place, true
}

const maxZone = 64 // characters

// zones are those that were asked for: reading one takes longer than all else about quiet hours. There are some 600.
var zones sync.Map
