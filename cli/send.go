package cli

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"belfry/client"
	"belfry/config"
)

// maxBodyInput bounds what is read from standard input; the server takes 16 KiB.
const maxBodyInput = 64 << 10

type sendCmd struct {
	recipients
	Title string `arg:"" placeholder:"TITLE" help:"What people see first, 1 to 200 characters."`
	Body  string `arg:"" optional:"" placeholder:"BODY" help:"The rest, up to 16 KiB; - reads it from standard input."`

	Severity       string        `placeholder:"S" help:"info (when left out), success, warning or critical."`
	Category       string        `placeholder:"C" help:"What people can mute it by."`
	Link           string        `placeholder:"URL" help:"Where a click leads: http, https or a path of the site."`
	Action         []string      `sep:"none" placeholder:"LABEL=URL" help:"A button; may be given several times."`
	Markdown       bool          `help:"The body is Markdown."`
	Data           string        `placeholder:"JSON" help:"For programs that read it."`
	CollapseKey    string        `placeholder:"K" help:"The newest of a key takes the place of the older in each inbox."`
	DeliverAt      time.Time     `placeholder:"TIME" help:"When it is released, as in 2026-05-01T08:30:00Z."`
	Expires        time.Duration `placeholder:"D" help:"How long it is of use, as in 2h."`
	IdempotencyKey string        `placeholder:"K" help:"Sent twice under one key within 24 hours, it is there once; with --expires, which counts from each time, the second is refused."`
	JSON           bool          `name:"json" help:"Print the answer as JSON."`
}

func (sendCmd) Help() string {
	return `Sends through BELFRY_URL with BELFRY_KEY (scope notices:write), and prints the notice's number when it is stored for good. While the server is away it tries again for about 10 s; it is there once, however many tries that took.

Exit: 0 sent, 1 not sent, 2 usage.`
}

func (c *sendCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	n, err := c.notice(term)
	if err != nil {
		return err
	}
	server, err := serverOf(s)
	if err != nil {
		return err
	}
	sent, err := server.Publish(ctx, n)
	switch {
	case err != nil:
		return refused(err, "notices:write")
	case c.JSON:
		return term.json(sent)
	case sent.Cursor == "":
		return term.say("scheduled notice %d", sent.ID)
	}
	return term.say("sent notice %d", sent.ID)
}

func (c *sendCmd) notice(term *console) (client.Notice, error) {
	n := client.Notice{
		To: c.to(), Title: c.Title, Body: c.Body, Severity: c.Severity, Category: c.Category, URL: c.Link,
		CollapseKey: c.CollapseKey, IdempotencyKey: c.IdempotencyKey,
	}
	if c.nobody() {
		return n, usageError("to whom? --to NAME, --group G or --everyone")
	}
	if c.Body == "-" {
		text, err := io.ReadAll(io.LimitReader(term.in, maxBodyInput+1))
		if err != nil {
			return n, err
		}
		if len(text) > maxBodyInput {
			return n, usageError("standard input is too long for a body of 16 KiB")
		}
		n.Body = strings.TrimSuffix(string(text), "\n")
	}
	if c.Markdown {
		n.Format = "markdown"
	}
	if c.Data != "" {
		if !json.Valid([]byte(c.Data)) {
			return n, usageError("--data: expected JSON")
		}
		n.Data = json.RawMessage(c.Data)
	}
	for _, action := range c.Action {
		label, address, found := strings.Cut(action, "=")
		if !found {
			return n, usageError("--action: expected LABEL=URL")
		}
		n.Actions = append(n.Actions, client.Action{Label: label, URL: address})
	}
	if !c.DeliverAt.IsZero() {
		n.DeliverAt = new(c.DeliverAt.UTC())
	}
	if c.Expires < 0 {
		return n, usageError("--expires: expected a duration above 0, as in 2h")
	}
	if c.Expires > 0 {
		from := time.Now()
		if n.DeliverAt != nil {
			from = *n.DeliverAt
		}
		n.ExpiresAt = new(from.Add(c.Expires).UTC())
	}
	return n, nil
}
