package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"

	"belfry/config"
	"belfry/models"
	"belfry/services"
)

const (
	// demoGroup marks a database as a demonstration, and gives it something to send to.
	demoGroup = "demo"
	// demoKey is the name of the key that a demonstration prints.
	demoKey = "demo"
)

var demoPeople = []services.NewUser{
	{Username: "admin", DisplayName: "Admin", Role: models.RoleAdmin},
	{Username: "anna", DisplayName: "Anna", Role: models.RoleUser},
	{Username: "bob", DisplayName: "Bob", Role: models.RoleUser},
}

// demoAllowed refuses a demonstration that others could reach: its passwords are on the screen.
func demoAllowed(s *config.Settings) error {
	host, _, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || (err == nil && ip.IsLoopback()) {
		return nil
	}
	return usageError("--demo is for this machine alone: expected a loopback address in LISTEN, as in 127.0.0.1:8080")
}

// demo is what it takes to set a demonstration up.
type demo struct {
	users   *services.Users
	groups  *services.Groups
	keys    *services.Keys
	notices *services.Notices
	url     string // where browsers find it
}

// begin makes the people and a few notices of the demonstration, or gives the people of an earlier one
// new passwords, and prints how to sign in and how to send. It touches no other database: resetting the
// password of a real admin and printing it would be a way in.
func (d demo) begin(ctx context.Context, out io.Writer) error {
	n, err := d.users.Count(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		if err := isDemo(ctx, d.groups); err != nil {
			return err
		}
	}
	people, err := d.people(ctx, n == 0)
	if err != nil {
		return err
	}
	if n == 0 {
		if err := d.fill(ctx); err != nil {
			return err
		}
	}
	key, err := d.key(ctx)
	if err != nil {
		return err
	}
	if err := (&console{out: out}).table("NAME PASSWORD ROLE", people); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nSign in at %[1]s. To send something from another terminal, begin there with\n\n    export BELFRY_URL=%[1]s BELFRY_KEY=%[2]s\n\n", d.url, key)
	return err
}

// people are the rows that say how to sign in: what was printed once cannot be printed again, so each start has new passwords.
func (d demo) people(ctx context.Context, anew bool) (rows [][]string, err error) {
	for _, person := range demoPeople {
		person.Password = demoPassword()
		rows = append(rows, []string{person.Username, person.Password, string(person.Role)})
		if anew {
			_, err = d.users.Add(ctx, person)
		} else {
			err = d.users.SetPassword(ctx, person.Username, person.Password)
		}
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// key makes a key that may do all a key may. That of an earlier start is revoked, or there would be one more with each.
func (d demo) key(ctx context.Context) (secret string, err error) {
	old, err := d.keys.List(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range old {
		if k.Name != demoKey {
			continue
		}
		if err := d.keys.Revoke(ctx, k.ID); err != nil {
			return "", err
		}
	}
	_, secret, err = d.keys.Create(ctx, services.KeySpec{Name: demoKey, Scopes: models.Scopes})
	return secret, err
}

// fill fills the inboxes a little, in the names of the demo's people.
func (d demo) fill(ctx context.Context) error {
	if _, err := d.groups.Add(ctx, demoGroup, "Everyone in the demo"); err != nil {
		return err
	}
	if err := d.groups.Join(ctx, demoGroup, "admin", "anna", "bob"); err != nil {
		return err
	}
	for _, sample := range []struct {
		from    string
		to      services.Target
		content models.NoticeContent
	}{
		{"admin", services.Target{Groups: []string{demoGroup}}, models.NoticeContent{
			Title: "Welcome to Belfry", Body: "Sign in as somebody else in another browser and send yourself a message.", Severity: "success",
		}},
		{"bob", services.Target{Users: []string{"anna", "admin"}}, models.NoticeContent{
			Title: "The nightly backup took twice as long", Body: "It ended well, but please have a look at the disk.", Severity: "warning", Category: new("operations"),
		}},
		{"anna", services.Target{Users: []string{"bob"}}, models.NoticeContent{
			Title: "Lunch at half past twelve?", Body: "The usual place. 老地方见。",
		}},
	} {
		sender, err := d.users.Find(ctx, sample.from)
		if err != nil {
			return err
		}
		as := &services.Principal{Live: &services.Live{User: *sender}}
		if _, err := d.notices.Publish(ctx, as, services.Outgoing{To: sample.to, Content: sample.content}); err != nil {
			return err
		}
	}
	return nil
}

func isDemo(ctx context.Context, groups *services.Groups) error {
	all, err := groups.List(ctx)
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.Name == demoGroup && !slices.ContainsFunc(demoPeople, func(p services.NewUser) bool { return !slices.Contains(g.Members, p.Username) }) {
			return nil
		}
	}
	return errors.New("this database has users of its own: --demo needs an empty one (DATABASE_URL)")
}

// demoPassword can be typed: 12 letters and digits, 60 bits.
func demoPassword() string { return strings.ToLower(rand.Text()[:12]) }
