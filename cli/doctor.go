package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"belfry/client"
	"belfry/config"
)

type doctorCmd struct {
	Address string        `arg:"" optional:"" name:"url" placeholder:"URL" help:"Where browsers find Belfry; BELFRY_URL when left out."`
	User    string        `placeholder:"NAME" help:"Also open this person's stream: with BELFRY_KEY (scope tickets:write), else by signing in."`
	Idle    time.Duration `placeholder:"D" help:"How long a silent stream is watched, 1s to 119s; two heartbeats when left out."`
	Streams int           `default:"24" placeholder:"N" help:"How many streams are opened at once, 1 to 200 (${default})."`
	CA      string        `name:"ca" placeholder:"FILE" help:"PEM file of authorities to trust besides the system's."`
	JSON    bool          `name:"json" help:"Print one JSON object."`

	PasswordStdin bool `help:"Read the person's password from standard input."`
}

func (doctorCmd) Help() string {
	return `Opens event streams through whatever stands before URL, and says in one line each what it found, with the directive to change for nginx, Apache, Caddy and Traefik. It takes about two heartbeats, and changes nothing.

Exit: 0 nothing is wrong, 1 something is, 2 usage.`
}

// The results of a check.
const (
	resultOK      = "ok"
	resultNote    = "note"    // worth knowing, and not wrong
	resultWrong   = "wrong"   // something does not work as it should
	resultSkipped = "skipped" // could not be looked at
)

// finding is what a check came to.
type finding struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Detail string `json:"detail"`
	Fix    *fix   `json:"fix,omitempty"`
}

func ok(check, format string, args ...any) finding {
	return finding{Check: check, Result: resultOK, Detail: fmt.Sprintf(format, args...)}
}

func note(check, format string, args ...any) finding {
	return finding{Check: check, Result: resultNote, Detail: fmt.Sprintf(format, args...)}
}

func skipped(check, format string, args ...any) finding {
	return finding{Check: check, Result: resultSkipped, Detail: fmt.Sprintf(format, args...)}
}

func wrong(check string, f *fix, format string, args ...any) finding {
	return finding{Check: check, Result: resultWrong, Detail: fmt.Sprintf(format, args...), Fix: f}
}

func (c *doctorCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	d, err := c.doctor(s)
	if err != nil {
		return err
	}
	if c.User != "" {
		end, err := c.admit(ctx, s, term, d)
		if err != nil {
			return err
		}
		defer end()
	}
	findings := d.examine(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return c.report(term, d.base, findings)
}

// doctor checks what was asked for.
func (c *doctorCmd) doctor(s *config.Settings) (*doctor, error) {
	address := cmp.Or(c.Address, s.URL)
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, usageError("expected a URL, as in: belfry doctor https://bell.example.org")
	}
	if c.Idle != 0 && (c.Idle < time.Second || c.Idle > maxIdle) {
		return nil, usageError("--idle: expected 1s to 119s")
	}
	if c.Streams < 1 || c.Streams > 200 {
		return nil, usageError("--streams: expected 1 to 200")
	}
	d := &doctor{base: strings.TrimRight(address, "/"), host: u.Host, secure: u.Scheme == "https", idle: c.Idle, streams: c.Streams}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, usageError("--ca: " + err.Error())
		}
		roots, err := x509.SystemCertPool()
		if err != nil || !roots.AppendCertsFromPEM(text) {
			return nil, usageError("--ca: expected a PEM file with a certificate")
		}
		d.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return d, nil
}

// admit gives the doctor a way to get tickets, and the caller one to leave again.
func (c *doctorCmd) admit(ctx context.Context, s *config.Settings, term *console, d *doctor) (end func(), err error) {
	through := client.WithHTTPClient(&http.Client{Transport: d.transport(), Timeout: answerLimit, CheckRedirect: noRedirect})
	if s.Key != "" {
		keyed, err := client.New(d.base, s.Key, through)
		if err != nil {
			return nil, err
		}
		d.mint = func(ctx context.Context) (*client.Ticket, error) { return keyed.UserTicket(ctx, c.User) }
		return func() {}, nil
	}
	session, err := signInAs(ctx, term, d.base, c.User, c.PasswordStdin, through)
	if err != nil {
		return nil, err
	}
	d.mint = session.Ticket
	return func() { _ = session.Logout(ctx) }, nil // else it locks and ends by itself
}

// report prints what was found; what is wrong is also the error.
func (c *doctorCmd) report(term *console, base string, findings []finding) error {
	bad := 0
	for _, f := range findings {
		if f.Result == resultWrong {
			bad++
		}
	}
	if err := c.print(term, base, bad, findings); err != nil {
		return err
	}
	switch bad {
	case 0:
		return nil
	case 1:
		return errors.New("1 finding is wrong")
	default:
		return fmt.Errorf("%d findings are wrong", bad)
	}
}

func (c *doctorCmd) print(term *console, base string, bad int, findings []finding) error {
	if c.JSON {
		return term.json(struct {
			URL      string    `json:"url"`
			Wrong    int       `json:"wrong"`
			Findings []finding `json:"findings"`
		}{base, bad, findings})
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-7s  %-11s  %s", f.Result, f.Check, f.Detail)
		if f.Fix != nil {
			line += ". " + f.Fix.String()
		}
		if err := term.say("%s", printable(line)); err != nil {
			return err
		}
	}
	return nil
}
