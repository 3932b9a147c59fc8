package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"belfry/client"
	"belfry/config"
)

// serverOf gives the running Belfry that the settings name, for what only a server can do.
func serverOf(s *config.Settings) (*client.Client, error) {
	var missing []string
	if s.URL == "" {
		missing = append(missing, "BELFRY_URL (where Belfry runs, as in https://bell.example.org)")
	}
	if s.Key == "" {
		missing = append(missing, "BELFRY_KEY (a key of: belfry key create)")
	}
	if missing != nil {
		return nil, usageError("this goes through a running Belfry; set " + strings.Join(missing, " and "))
	}
	return client.New(s.URL, s.Key)
}

// refused adds what to do where the server did not take the key.
func refused(err error, scope string) error {
	p, ok := errors.AsType[*client.Problem](err)
	switch {
	case ok && p.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w The key in BELFRY_KEY is wrong, was revoked or ran out (belfry key list shows which there are)", err)
	case ok && p.Status == http.StatusForbidden:
		return fmt.Errorf("%w It needs a key with the scope %s (belfry key create NAME --scope %s)", err, scope, scope)
	}
	return err
}

// recipients are the flags that say who gets something.
type recipients struct {
	To       []string `placeholder:"NAME" help:"People, by their names; several with commas."`
	Group    []string `placeholder:"G" help:"Groups of people."`
	Everyone bool     `help:"Everybody."`
}

func (r recipients) nobody() bool { return len(r.To) == 0 && len(r.Group) == 0 && !r.Everyone }

func (r recipients) to() client.To {
	return client.To{Users: r.To, Groups: r.Group, Everyone: r.Everyone}
}
