package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"belfry/client"
	"belfry/config"
)

type tailCmd struct {
	User          string   `required:"" placeholder:"NAME" help:"Whose stream."`
	PasswordStdin bool     `help:"Read the person's password from standard input."`
	Event         []string `placeholder:"E" enum:"notice,notice_state,task,lock" help:"Only these: notice, notice_state, task, lock."`
	From          string   `placeholder:"ID" help:"Go on behind this event, as --json shows its id; from now on when left out."`
	JSON          bool     `name:"json" help:"Print every event as one line of JSON."`
}

func (tailCmd) Help() string {
	return `Prints what comes for a person until it is interrupted, from BELFRY_URL: with BELFRY_KEY (scope tickets:write), else by signing in, as with --password-stdin in any case. It comes back by itself where it is cut, and misses nothing. A session locks as in a browser when nobody is active; at a terminal the password is asked for then. For a watch that runs by itself use a key.

Exit: 0 interrupted, 1 it cannot go on, 2 usage.`
}

func (c *tailCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	options := client.TailOptions{LastID: c.From, Events: c.Event}
	if s.URL == "" {
		return usageError("set BELFRY_URL to where Belfry runs, as in https://bell.example.org")
	}
	if s.Key != "" && !c.PasswordStdin { // whoever gives a password signs in, whatever other commands have a key for
		server, err := client.New(s.URL, s.Key)
		if err != nil {
			return err
		}
		return c.follow(ctx, term, server.Tail(ctx, c.User, options), nil)
	}
	session, err := signInAs(ctx, term, s.URL, c.User, c.PasswordStdin)
	if err != nil {
		return err
	}
	defer func() { _ = session.Logout(ctx) }() // else it locks and ends by itself
	return c.follow(ctx, term, session.Tail(ctx, options), session)
}

// follow prints events to their end. session is nil where a key opened the stream.
func (c *tailCmd) follow(ctx context.Context, term *console, events iter.Seq2[client.Event, error], session *client.Session) error {
	for e, err := range events {
		switch {
		case ctx.Err() != nil:
			return nil // interrupted, as it is meant to end
		case errors.Is(err, client.ErrSessionEnded):
			return errors.New("the session has ended; run the command again to sign in")
		case err != nil:
			return unknown(refused(err, "tickets:write"), "user %q", c.User)
		}
		if err := c.print(term, e); err != nil {
			return err
		}
		if session == nil || !isLocked(e) {
			continue
		}
		if err := c.unlock(ctx, term, session); err != nil {
			return err
		}
	}
	return nil
}

func isLocked(e client.Event) bool {
	var lock struct{ State string }
	return e.Name == client.EventLock && json.Unmarshal(e.Data, &lock) == nil && lock.State == "locked"
}

// unlock asks for the password until it is right, or the server has had enough of it.
func (c *tailCmd) unlock(ctx context.Context, term *console, session *client.Session) error {
	terminal, ok := term.terminal()
	if !ok {
		return errors.New("the session is locked, for nobody was active in it; a watch that runs by itself needs a key with tickets:write (BELFRY_KEY)")
	}
	for {
		password, err := term.prompt(ctx, terminal, "Locked. Password of "+printable(c.User)+": ")
		if err != nil {
			return err
		}
		err = session.Unlock(ctx, password)
		if err == nil {
			return nil
		}
		fmt.Fprintln(term.err, "belfry:", describe(err))
		p, ok := errors.AsType[*client.Problem](err)
		if !ok || p.AttemptsLeft == nil {
			return errors.New("the session cannot be unlocked")
		}
	}
}

// print shows an event: as JSON all there is, else what a person would look at.
func (c *tailCmd) print(term *console, e client.Event) error {
	if c.JSON {
		return term.json(e)
	}
	switch e.Name {
	case client.EventNotice:
		return c.printNotice(term, e.Data)
	case client.EventTask:
		var task struct{ Title, State string }
		if err := json.Unmarshal(e.Data, &task); err != nil {
			return fmt.Errorf("a task cannot be read: %w", err)
		}
		return term.say("%s  task      %s: %s", clockTime(time.Now()), printable(task.State), printable(task.Title))
	case client.EventReset:
		fmt.Fprintln(term.err, "belfry: what came meanwhile cannot be had any more; look into the inbox")
	case client.EventLock:
		var lock struct{ State, Reason string }
		if json.Unmarshal(e.Data, &lock) == nil && lock.State != "active" {
			fmt.Fprintf(term.err, "belfry: the session is %s (%s)\n", printable(lock.State), printable(lock.Reason))
		}
	}
	return nil
}

func (c *tailCmd) printNotice(term *console, data []byte) error {
	var n client.ReceivedNotice
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("a notice cannot be read: %w", err)
	}
	line := fmt.Sprintf("%s  %-8s  %s", clockTime(n.CreatedAt), printable(n.Severity), printable(n.Title))
	if body := oneLine(n.Body); body != "" {
		line += ": " + printable(body)
	}
	if n.URL != "" {
		line += "  " + printable(n.URL)
	}
	return term.say("%s", line)
}

// clockTime is a moment to the second, in UTC.
func clockTime(t time.Time) string { return t.UTC().Format(time.DateTime) }
