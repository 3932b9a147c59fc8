package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
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
	Rate    string   `placeholder:"N/m" help:"How many notices it may publish on each node, as in 60/m; s, m or h; without limit when left out."`

	Category string `placeholder:"C" help:"What people can mute its notices by, where a notice names nothing itself."`

	To       []string `placeholder:"NAME" help:"People its notices are for that come without recipients, as those of Gotify and of webhooks do."`
	Group    []string `placeholder:"G" help:"Groups they are for."`
	Everyone bool     `help:"They are for everybody."`

	Hook    string `placeholder:"github" help:"For calls that GitHub signs: prints the secret to give to it instead of the key, and the address."`
	Mapping string `placeholder:"FILE" help:"JSON file that says how calls to /api/v1/hooks/custom are read as notices; see docs/senders.md."`
}

// maxMapping bounds what is read of a mapping's file, in bytes; the longest that is valid has less.
const maxMapping = 64 << 10

func (c *keyCreateCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	for _, scope := range c.Scope {
		if !slices.Contains(models.Scopes, models.Scope(scope)) {
			return usageError("--scope: expected of " + scopeList())
		}
	}
	if _, ok := models.ParseRate(c.Rate); !ok {
		return usageError("--rate: expected " + models.RateRule)
	}
	if c.Hook != "" && !slices.Contains(models.Hooks, models.Hook(c.Hook)) {
		return usageError("--hook: expected github")
	}
	mapping, err := c.mapping()
	if err != nil {
		return err
	}
	k := client.NewKey{Name: c.Name, Scopes: c.Scope, Rate: c.Rate, Category: c.Category, To: client.To{Users: c.To, Groups: c.Group, Everyone: c.Everyone}, Hook: c.Hook, Mapping: mapping}
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
		if key.HookSecret == "" {
			_, err = fmt.Fprintln(term.out, key.Secret)
			return err
		}
		// The key itself is not shown: its calls are signed, and what nobody has nobody can lose.
		base, err := placeOf(r, s)
		if err != nil {
			return err
		}
		fmt.Fprintf(term.err, "belfry: the secret for %s; its address is %s\n", key.Hook, base.JoinPath("api/v1/hooks", key.Hook, strconv.FormatInt(key.ID, 10)))
		_, err = fmt.Fprintln(term.out, key.HookSecret)
		return err
	})
}

// placeOf is where senders find the server of a registry. Without a PUBLIC_URL here one that we called is where we found it.
func placeOf(r registry, s *config.Settings) (*url.URL, error) {
	if _, called := r.(*client.Client); called && !s.PublicURLGiven {
		return url.Parse(s.URL)
	}
	return s.PublicURL, nil
}

// mapping reads the file of a mapping; what is wrong with what it says the server finds.
func (c *keyCreateCmd) mapping() (json.RawMessage, error) {
	if c.Mapping == "" {
		return nil, nil
	}
	file, err := os.Open(c.Mapping)
	if err != nil {
		return nil, usageError("--mapping: " + err.Error())
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxMapping+1))
	if err != nil {
		return nil, usageError("--mapping: " + err.Error())
	}
	if len(text) > maxMapping || !json.Valid(text) {
		return nil, usageError("--mapping: expected a file of JSON, at most 64 KiB")
	}
	return text, nil
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

type keyListCmd struct {
	JSON bool `name:"json" help:"Print a JSON array."`
}

func (c keyListCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withRegistry(ctx, s, func(r registry) error {
		keys, err := r.Keys(ctx)
		if err != nil {
			return err
		}
		return list(term, c.JSON, keys, "ID NAME SCOPES CREATED EXPIRES USED", func(k *client.Key) []string {
			return []string{strconv.FormatInt(k.ID, 10), k.Name, strings.Join(k.Scopes, ","), date(&k.CreatedAt), date(k.ExpiresAt), date(k.LastUsed)}
		})
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
