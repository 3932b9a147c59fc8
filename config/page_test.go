package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var updatePages = flag.Bool("update-pages", false, "write the tables of settings in README.md and docs/configure.md anew")

// tables of the pages begin with the names of their settings, so that the page says what belongs together, and in which order.
var tables = regexp.MustCompile(`(?s)<!-- (settings|settings in short): ([A-Z0-9_ ]+) -->\n(.*?)<!-- end -->`)

// TestPages: docs/configure.md says of each setting, once, what the code does, and README.md of some. -update-pages writes them.
func TestPages(t *testing.T) {
	shown := map[string]int{}
	for _, page := range []string{"../README.md", "../docs/configure.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		want := tables.ReplaceAllStringFunc(string(text), func(old string) string {
			m := tables.FindStringSubmatch(old)
			names := strings.Fields(m[2])
			if m[1] == "settings" {
				for _, name := range names {
					shown[name]++
				}
				return "<!-- settings: " + m[2] + " -->\n\n| setting | value | default | |\n|---|---|---|---|\n" + rows(t, names, (*Option).row) + "\n<!-- end -->"
			}
			return "<!-- settings in short: " + m[2] + " -->\n\n| setting | default | |\n|---|---|---|\n" + rows(t, names, (*Option).shortRow) + "\n<!-- end -->"
		})
		if want == string(text) {
			continue
		}
		if !*updatePages {
			t.Errorf("%s does not say what the settings are: make docs writes it", page)
		} else if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range options {
		if shown[o.Name] != 1 {
			t.Errorf("%s is in %d tables of docs/configure.md", o.Name, shown[o.Name])
		}
	}
}

// rows are those of the settings of these names.
func rows(t *testing.T, names []string, row func(*Option) string) string {
	t.Helper()
	var out strings.Builder
	for _, name := range names {
		i := slices.IndexFunc(options, func(o Option) bool { return o.Name == name })
		if i < 0 {
			t.Errorf("there is no setting %s", name)
			continue
		}
		out.WriteString(row(&options[i]))
	}
	return out.String()
}

func (o *Option) row() string {
	name := "`" + o.Name + "`"
	if o.Secret {
		name += ` \*`
	}
	text := o.sentence() + "."
	if o.Details != "" {
		text += " " + o.Details
	}
	if len(o.With) > 0 {
		text += " Goes with `" + strings.Join(o.With, "`, `") + "`."
	}
	return fmt.Sprintf("| %s | %s | %s | %s |\n", name, code(o.Expects), o.initial(), text)
}

func (o *Option) shortRow() string {
	return fmt.Sprintf("| `%s` | %s | %s |\n", o.Name, o.initial(), o.sentence())
}

func (o *Option) sentence() string { return strings.ToUpper(o.Help[:1]) + code(o.Help[1:]) }

func (o *Option) initial() string {
	if o.Default == "" {
		return code(o.Empty)
	}
	return "`" + o.Default + "`"
}

// literal is a word that somebody would type: an address, a duration, a setting, or one with a sign that Markdown would take.
var literal = regexp.MustCompile(`^(.*[:/*=…@].*|\d+(ms|s|m|h)|[a-z]+_[a-z_]+)$`)

// code marks the words of a text that are literal.
func code(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		bare := strings.TrimSuffix(strings.Trim(word, ".,;()"), ":")
		setting := slices.ContainsFunc(options, func(o Option) bool { return o.Name == bare })
		if bare != "" && (setting || literal.MatchString(bare)) {
			words[i] = strings.Replace(word, bare, "`"+bare+"`", 1)
		}
	}
	return strings.Join(words, " ")
}

// TestSettingsThatGoTogether names settings that there are, and says why nothing is given where there is no default.
func TestSettingsThatGoTogether(t *testing.T) {
	for _, o := range options {
		if (o.Default == "") == (o.Empty == "") {
			t.Errorf("%s: default %q, and %q when it is empty", o.Name, o.Default, o.Empty)
		}
		for _, other := range o.With {
			if other == o.Name || !slices.ContainsFunc(options, func(o Option) bool { return o.Name == other }) {
				t.Errorf("%s goes with %s", o.Name, other)
			}
		}
	}
}
