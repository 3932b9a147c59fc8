package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// say tells what was done.
func (c *console) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.out, format+"\n", args...)
	return err
}

// table prints aligned columns under a header, which is given as words. A name can hold what would move
// the cursor or break the line; such characters are replaced.
func (c *console) table(header string, rows [][]string) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(strings.Fields(header), "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush() // also has the errors of the lines before
}

// printable is the text, or "-" for none.
func printable(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// date is the day of a moment; in UTC, as everything that Belfry shows outside a browser.
func date(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// list prints things as a JSON array, or as a table.
func list[T any](c *console, asJSON bool, items []T, header string, row func(*T) []string) error {
	if asJSON {
		return c.json(items)
	}
	rows := make([][]string, len(items))
	for i := range items {
		rows[i] = row(&items[i])
	}
	return c.table(header, rows)
}

// json prints a value as one line of JSON.
func (c *console) json(value any) error {
	encoder := json.NewEncoder(c.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
