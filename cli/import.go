package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"belfry/client"
	"belfry/config"
	"belfry/models"
)

type userImportCmd struct {
	File       string `arg:"" placeholder:"FILE" help:"A table as CSV, - for standard input. Its first line names the columns: username, and any of display_name, role (user or admin), groups (several with ; between them), disabled (true or false). A field that is empty changes nothing."`
	DryRun     bool   `help:"Say what would be done, and do nothing."`
	ResetLinks bool   `help:"Print a link for each person of the file who has no password: it sets one, once, within an hour."`
	JSON       bool   `name:"json" help:"Print a JSON array."`
}

// imported is what became of a line.
type imported struct {
	Line      int      `json:"line"`
	Username  string   `json:"username"`
	Result    string   `json:"result"` // added, changed, unchanged or refused
	Changes   []string `json:"changes,omitempty"`
	Error     string   `json:"error,omitempty"`
	ResetLink string   `json:"reset_link,omitempty"`
}

// Run takes each line by itself: all of it is done or nothing, and what is wrong with one keeps no other back. Run again it
// changes nothing, so after whatever stopped it one runs it again.
func (c *userImportCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	people, err := c.read(term)
	if err != nil {
		return fmt.Errorf("nothing was imported: %w", err)
	}
	if len(people.unknown) > 0 {
		fmt.Fprintln(term.err, "belfry: no such thing is kept of people, and was passed over:", printable(strings.Join(people.unknown, ", ")))
	}
	return withRegistry(ctx, s, func(r registry) error {
		return c.settle(ctx, r, term, people.lines)
	})
}

func (c *userImportCmd) read(term *console) (*table, error) {
	if c.File == "-" {
		return readPeople(term.in)
	}
	file, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readPeople(file)
}

func (c *userImportCmd) settle(ctx context.Context, r registry, term *console, lines []person) error {
	done := make([]imported, 0, len(lines))
	counts := map[string]int{}
	for _, line := range lines {
		result, err := c.one(ctx, r, line)
		if err != nil {
			return errors.Join(c.report(term, done, counts), fmt.Errorf("line %d and those after it were not looked at; run it again: %w", line.number, err))
		}
		done = append(done, result)
		counts[result.Result]++
	}
	if err := c.report(term, done, counts); err != nil {
		return err
	}
	if n := counts["refused"]; n > 0 {
		return fmt.Errorf("%d of %d lines refused", n, len(lines))
	}
	return nil
}

// one settles a line. An error is one that the next line would meet too.
func (c *userImportCmd) one(ctx context.Context, r registry, line person) (imported, error) {
	result := imported{Line: line.number, Username: line.username, Result: "refused", Error: line.fault}
	if line.fault != "" {
		return result, nil
	}
	settled, err := r.SettleUser(ctx, line.username, line.want, c.DryRun)
	if err != nil {
		if !isRefusal(err) {
			return result, err
		}
		result.Error = describe(err)
		return result, nil
	}
	result.Result, result.Changes = settled.Result, settled.Changes
	if c.ResetLinks && !c.DryRun && !settled.User.HasPassword && !settled.User.Disabled {
		link, err := r.ResetLink(ctx, line.username)
		if err != nil {
			return result, err
		}
		result.ResetLink = link.URL
	}
	return result, nil
}

// isRefusal tells what is wrong with one line from what stands in the way of all.
func isRefusal(err error) bool {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Code == string(models.CodeInvalid) || p.Code == string(models.CodeConflict)
	}
	code := models.CodeOf(err)
	return code == models.CodeInvalid || code == models.CodeConflict
}

func (c *userImportCmd) report(term *console, done []imported, counts map[string]int) error {
	if c.JSON {
		return term.json(done)
	}
	for _, d := range done {
		text := fmt.Sprintf("line %d: %s %s", d.Line, d.Result, printable(d.Username))
		switch {
		case d.Error != "":
			text += ": " + d.Error
		case d.Result == "changed":
			text += ": " + strings.Join(d.Changes, ", ")
		}
		if d.ResetLink != "" {
			text += " " + d.ResetLink
		}
		if err := term.say("%s", text); err != nil {
			return err
		}
	}
	more := ""
	switch {
	case c.DryRun:
		more = "; nothing was done"
	case counts["added"] > 0 && !c.ResetLinks:
		more = "; who was added has no password: user reset-link NAME, or this again with --reset-links"
	}
	return term.say("%d added, %d changed, %d unchanged, %d refused%s", counts["added"], counts["changed"], counts["unchanged"], counts["refused"], more)
}
