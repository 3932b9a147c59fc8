package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"

	"belfry/config"
	"belfry/models"
	"belfry/services"
)

// demoGroup marks a database as a demonstration, and gives it something to send to.
const demoGroup = "demo"

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

// demoData makes the people and a few notices of the demonstration, or gives the people of an earlier one
// new passwords, and prints how to sign in. It touches no other database: resetting the password of a
// real admin and printing it would be a way in.
func demoData(ctx context.Context, users *services.Users, groups *services.Groups, notices *services.Notices, out io.Writer) error {
	n, err := users.Count(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		if err := isDemo(ctx, groups); err != nil {
			return err
		}
	}
	rows := make([][]string, len(demoPeople))
	for i, person := range demoPeople {
		person.Password = demoPassword()
		rows[i] = []string{person.Username, person.Password, string(person.Role)}
		if n == 0 {
			_, err = users.Add(ctx, person)
		} else {
			err = users.SetPassword(ctx, person.Username, person.Password)
		}
		if err != nil {
			return err
		}
	}
	if n == 0 {
		if err := demoNotices(ctx, users, groups, notices); err != nil {
			return err
		}
	}
	return (&console{out: out}).table("NAME PASSWORD ROLE", rows)
}

// demoNotices fills the inboxes a little, in the names of the demo's people.
func demoNotices(ctx context.Context, users *services.Users, groups *services.Groups, notices *services.Notices) error {
	if _, err := groups.Add(ctx, demoGroup, "Everyone in the demo"); err != nil {
		return err
	}
	if err := groups.Join(ctx, demoGroup, "admin", "anna", "bob"); err != nil {
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
		sender, err := users.Find(ctx, sample.from)
		if err != nil {
			return err
		}
		as := &services.Principal{Live: &services.Live{User: *sender}}
		if _, err := notices.Publish(ctx, as, services.Outgoing{To: sample.to, Content: sample.content}); err != nil {
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
