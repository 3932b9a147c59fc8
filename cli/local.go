package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/url"

	"belfry/client"
	"belfry/config"
	"belfry/models"
	"belfry/services"
	"belfry/services/journal"
)

// local is the registry in a database that is ours alone, or shared as PostgreSQL is.
type local struct {
	site   *url.URL
	users  *services.Users
	groups *services.Groups
	keys   *services.Keys
}

func newLocal(ctx context.Context, db *services.Database, j *journal.Journal, s *config.Settings) (*local, error) {
	var ring *services.Keyring
	if len(s.Secret) > 0 { // what seals is then not in the database, and whether that one signs is for servers to say
		var err error
		if ring, err = services.NewKeyring(ctx, nil, s.Secret, s.SecretPrevious...); err != nil {
			return nil, err
		}
	}
	cost := services.HashCost(s.Argon2)
	return &local{s.PublicURL, services.NewUsers(db, j, services.NewHasher(cost)), services.NewGroups(db, j), services.NewKeys(db, j, services.NewVault(ring))}, nil
}

func (l *local) Users(ctx context.Context) ([]client.User, error) {
	rows, err := l.users.List(ctx)
	if err != nil {
		return nil, err
	}
	users := make([]client.User, len(rows))
	for i := range rows {
		users[i] = *userOf(&rows[i])
	}
	return users, nil
}

func (l *local) AddUser(ctx context.Context, u client.NewUser) (*client.User, error) {
	row, err := l.users.Add(ctx, services.NewUser{
		Username: u.Username, DisplayName: u.DisplayName, Password: u.Password, Role: models.Role(u.Role),
	})
	if err != nil {
		return nil, err
	}
	return userOf(row), nil
}

func (l *local) ChangeUser(ctx context.Context, username string, change client.UserChange) (*client.User, error) {
	c := services.UserChange{Username: change.Username, DisplayName: change.DisplayName, Password: change.Password, Disabled: change.Disabled}
	if change.Role != nil {
		c.Role = new(models.Role(*change.Role))
	}
	row, err := l.users.Update(ctx, username, c)
	if err != nil {
		return nil, err
	}
	return userOf(row), nil
}

func (l *local) RemoveUser(ctx context.Context, username string) error {
	return l.users.Delete(ctx, username)
}

func (l *local) ResetLink(ctx context.Context, username string) (*client.ResetLink, error) {
	reset, err := l.users.MakeReset(ctx, username)
	if err != nil {
		return nil, err
	}
	return &client.ResetLink{URL: reset.URL(l.site), ExpiresAt: reset.ExpiresAt.Time()}, nil
}

func userOf(row *models.User) *client.User {
	return &client.User{
		Username: row.Username, DisplayName: row.DisplayName, Role: string(row.Role), Locale: row.Locale,
		Disabled: row.DisabledAt != nil, HasPassword: row.PasswordHash != "", CreatedAt: row.CreatedAt.Time(),
	}
}

func (l *local) SettleUser(ctx context.Context, username string, want client.WantedUser, dryRun bool) (*client.SettledUser, error) {
	w := services.WantedUser{Username: username, DisplayName: want.DisplayName, Disabled: want.Disabled, Groups: want.Groups}
	if want.Role != nil {
		w.Role = new(models.Role(*want.Role))
	}
	settled, err := l.users.Settle(ctx, w, dryRun)
	if err != nil {
		return nil, err
	}
	return &client.SettledUser{Result: settled.Result(), Changes: settled.Changed, User: *userOf(&settled.User)}, nil
}

func (l *local) Groups(ctx context.Context) ([]client.Group, error) {
	rows, err := l.groups.List(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]client.Group, len(rows))
	for i := range rows {
		groups[i] = *groupOf(&rows[i])
	}
	return groups, nil
}

func groupOf(row *services.GroupView) *client.Group {
	return &client.Group{Name: row.Name, DisplayName: row.DisplayName, Members: row.Members, Disabled: row.DisabledAt != nil, CreatedAt: row.CreatedAt.Time()}
}

func (l *local) ChangeGroup(ctx context.Context, name string, change client.GroupChange) (*client.Group, error) {
	row, err := l.groups.Update(ctx, name, services.GroupChange(change))
	if err != nil {
		return nil, err
	}
	return groupOf(row), nil
}

func (l *local) AddGroup(ctx context.Context, name, displayName string) (*client.Group, error) {
	row, err := l.groups.Add(ctx, name, displayName)
	if err != nil {
		return nil, err
	}
	return groupOf(&services.GroupView{Group: *row}), nil
}

func (l *local) RemoveGroup(ctx context.Context, name string) error {
	return l.groups.Remove(ctx, name)
}

func (l *local) JoinGroup(ctx context.Context, group string, usernames ...string) error {
	return l.groups.Join(ctx, group, usernames...)
}

func (l *local) LeaveGroup(ctx context.Context, group string, usernames ...string) error {
	return l.groups.Leave(ctx, group, usernames...)
}

func (l *local) Keys(ctx context.Context) ([]client.Key, error) {
	rows, err := l.keys.List(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]client.Key, len(rows))
	for i := range rows {
		keys[i] = *keyOf(&rows[i])
	}
	return keys, nil
}

func (l *local) CreateKey(ctx context.Context, k client.NewKey) (*client.Key, error) {
	scopes := make([]models.Scope, len(k.Scopes))
	for i, s := range k.Scopes {
		scopes[i] = models.Scope(s)
	}
	var expires *models.Instant
	if k.ExpiresAt != nil {
		expires = new(models.InstantOf(*k.ExpiresAt))
	}
	spec := services.KeySpec{Name: k.Name, Scopes: scopes, Expires: expires, To: models.Target(k.To), Rate: k.Rate, Category: k.Category, Hook: models.Hook(k.Hook)}
	if len(k.Mapping) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(k.Mapping))
		decoder.DisallowUnknownFields() // as the API does
		if err := decoder.Decode(&spec.Mapping); err != nil {
			return nil, models.InvalidField("mapping", "An object of "+mappingMembers+".")
		}
	}
	made, err := l.keys.CreateOnce(ctx, nil, spec, services.Repeatable{})
	if err != nil {
		return nil, err
	}
	key := keyOf(&made.Key)
	key.Secret, key.HookSecret = made.Secret, made.HookSecret
	return key, nil
}

// mappingMembers are those that a mapping may have.
const mappingMembers = "items, title, body, severity {from, values, default}, category, url, collapse_key and idempotency_key"

func (l *local) RevokeKey(ctx context.Context, id int64) error { return l.keys.Revoke(ctx, id) }

func keyOf(row *models.Key) *client.Key {
	key := &client.Key{ID: row.ID, Name: row.Name, CreatedAt: row.CreatedAt.Time(), Rate: row.RateText, Category: row.Category, Hook: string(row.Hook), Mapping: json.RawMessage(cmp.Or(row.MappingText, "null"))}
	if to, err := row.Target(); err == nil {
		key.To = client.To(to)
	}
	for _, s := range row.Scopes() {
		key.Scopes = append(key.Scopes, string(s))
	}
	if row.ExpiresAt != nil {
		key.ExpiresAt = new(row.ExpiresAt.Time())
	}
	if row.LastUsedAt != nil {
		key.LastUsed = new(row.LastUsedAt.Time())
	}
	return key
}
