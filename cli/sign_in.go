package cli

import (
	"context"
	"errors"
	"os"
	"strings"

	"belfry/client"
	"belfry/models"
)

// signInAs begins a session for a person whose password is typed, or comes on standard input. Where an authenticator's
// code is needed it is asked for too.
func signInAs(ctx context.Context, term *console, baseURL, name string, fromStdin bool, options ...client.Option) (*client.Session, error) {
	password, err := term.password(ctx, name, fromStdin)
	if err != nil {
		return nil, err
	}
	who := client.Credentials{Username: name, Password: password}
	session, err := client.SignIn(ctx, baseURL, who, options...)
	if p, refused := errors.AsType[*client.Problem](err); !refused || p.Code != string(models.CodeSecondFactor) { // of a right password that is not enough
		return session, err
	}
	terminal, ok := term.terminal()
	if !ok {
		return nil, errors.New("a code of the authenticator app is needed too: sign in at a terminal, or use a key with tickets:write (BELFRY_KEY)")
	}
	code, err := term.prompt(ctx, terminal, "Code: ")
	if err != nil {
		return nil, err
	}
	who.Code = strings.TrimSpace(code)
	return client.SignIn(ctx, baseURL, who, options...)
}

// password asks for the password that somebody has.
func (c *console) password(ctx context.Context, name string, fromStdin bool) (string, error) {
	if fromStdin {
		return c.readPassword()
	}
	terminal, ok := c.terminal()
	if !ok {
		return "", usageError("there is no terminal to ask for the password: use --password-stdin, or a key with tickets:write (BELFRY_KEY)")
	}
	return c.prompt(ctx, terminal, "Password of "+printable(name)+": ")
}

// terminal is where something can be asked, if there is one.
func (c *console) terminal() (*os.File, bool) {
	terminal, ok := c.in.(*os.File)
	return terminal, ok && isTerminal(terminal)
}
