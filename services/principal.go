package services

import (
	"strconv"

	"belfry/models"
)

// Principal is who is asking: a user by a live session, or a key. Neither means nobody.
type Principal struct {
	Live *Live
	Key  *models.Key
}

// Nobody reports whether no credential came.
func (p *Principal) Nobody() bool { return p.Live == nil && p.Key == nil }

// IsAdmin reports whether this is a user who may administer.
func (p *Principal) IsAdmin() bool { return p.Live != nil && p.Live.User.Role == models.RoleAdmin }

// Actor is the principal's name in the log and the key of its idempotency keys.
func (p *Principal) Actor() string {
	if p.Key != nil {
		return keyAudience(p.Key.ID)
	}
	return userAudience(p.Live.User.ID)
}

func (p *Principal) sender() models.Sender {
	if p.Key != nil {
		return models.Sender{Type: "key", Name: p.Key.Name}
	}
	return models.Sender{Type: "user", Name: p.Live.User.Username}
}

// The audiences of the log.
const (
	everyone    = "everyone"
	userPrefix  = "user:"
	groupPrefix = "group:"

	keyAudiencePrefix = "key:"
)

func userAudience(id int64) string  { return userPrefix + strconv.FormatInt(id, 10) }
func groupAudience(id int64) string { return groupPrefix + strconv.FormatInt(id, 10) }
func keyAudience(id int64) string   { return keyAudiencePrefix + strconv.FormatInt(id, 10) }

// lockPrefix begins the audience of a session.
const lockPrefix = "session:"

func lockAudience(session string) string { return lockPrefix + session }
