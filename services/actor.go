package services

import (
	"context"
	"strings"

	"belfry/models"
)

// Client is where a request came from, as far as it is trusted.
type Client struct {
	IP        string
	UserAgent string
}

const maxUserAgent = 400 // bytes

// agent is the user agent as it can be stored.
func (c Client) agent() string {
	agent := strings.ToValidUTF8(strings.ReplaceAll(c.UserAgent, "\x00", ""), "")
	if len(agent) > maxUserAgent {
		agent = strings.ToValidUTF8(agent[:maxUserAgent], "")
	}
	return agent
}

// ActorType is what kind of somebody does something.
type ActorType string

// The kinds. A provider is the other end of a single sign-on; a command runs on the server's own machine.
const (
	ActorUser     ActorType = "user"
	ActorKey      ActorType = "key"
	ActorCommand  ActorType = "command"
	ActorProvider ActorType = "provider"
	ActorSystem   ActorType = "system"
	ActorNobody   ActorType = "nobody"
)

// Actor is who does something, for the record.
type Actor struct {
	Type    ActorType
	Name    string // of the user, the key or the provider
	Session string // the user's; it is stored hashed
	Client  Client
}

// system is who acts where nobody does: the clock, and the start of the server.
var system = Actor{Type: ActorSystem}

type actorKey struct{}

// WithActor says who does what is done under this context.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

func actorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return system
}

// ClientOf tells where the request of this context came from.
func ClientOf(ctx context.Context) Client { return actorOf(ctx).Client }

// By is the principal as who does something. Who shows the cookie of a session that has ended is nobody.
func (p *Principal) By(client Client) Actor {
	switch {
	case p.Key != nil:
		return Actor{Type: ActorKey, Name: p.Key.Name, Client: client}
	case p.Live != nil && p.Live.Verdict.State != models.SessionEnded:
		return Actor{Type: ActorUser, Name: p.Live.User.Username, Session: p.Live.ID, Client: client}
	default:
		return Actor{Type: ActorNobody, Client: client}
	}
}
