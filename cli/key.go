package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"belfry/client"
	"belfry/config"
	"belfry/models"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make a key and print it, once."`
	List   keyListCmd   `cmd:"" help:"List the keys; none can be shown again."`
	Revoke keyRevokeCmd `cmd:"" help:"Make a key worthless."`
}

type keyCreateCmd struct {
	Name    string   `arg:"" placeholder:"NAME" help:"What the key is for."`
	Scope   []string `required:"" placeholder:"S" help:"What it may do: ${scopes}."`
	Expires string   `placeholder:"D" help:"How long it is good for, as in 720h or 30d; for ever when left out."`
}

func (c *keyCreateCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	for _, scope := range c.Scope {
		if !slices.Contains(models.Scopes, models.Scope(scope)) {
			return usageError("--scope: expected of " + scopeList())
		}
	}
	k := client.NewKey{Name: c.Name, Scopes: c.Scope}
	if c.Expires != "" {
		life, err := lifetime(c.Expires)
		if err != nil {
			return err
		}
		k.ExpiresAt = new(time.Now().Add(life).UTC())
	}
	return withRegistry(ctx, s, func(r registry) error {
		key, err := r.CreateKey(ctx, k)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(term.out, key.Secret)
		return err
	})
}

func scopeList() string {
	words := make([]string, len(models.Scopes))
	for i, s := range models.Scopes {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// lifetime reads a duration; keys live long, so it also knows days.
func lifetime(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int64
		n, err = strconv.ParseInt(days, 10, 16)
		d = time.Duration(n) * day
	}
	if err != nil || d <= 0 {
		return 0, usageError("--expires: expected a duration above 0, as in 720h or 30d")
	}
	return d, nil
}

type keyListCmd struct{}

func (keyListCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		keys, err := r.Keys(ctx)
		if err != nil {
			return err
		}
		rows := make([][]string, len(keys))
		for i, k := range keys {
			rows[i] = []string{strconv.FormatInt(k.ID, 10), k.Name, strings.Join(k.Scopes, ","), date(&k.CreatedAt), date(k.ExpiresAt)}
		}
		return term.table("ID NAME SCOPES CREATED EXPIRES", rows)
	})
}

type keyRevokeCmd struct {
	ID int64 `arg:"" placeholder:"ID" help:"Number of the key, as key list shows it."`
}

func (c *keyRevokeCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		if err := r.RevokeKey(ctx, c.ID); err != nil {
			return unknown(err, "key %d", c.ID)
		}
		return term.say("revoked key %d", c.ID)
	})
}
