package cli

import (
	"context"

	"belfry/client"
	"belfry/models"
	"belfry/services"
	"belfry/services/journal"
)

// local is the registry in a database that is ours alone, or shared as PostgreSQL is.
type local struct {
	users  *services.Users
	groups *services.Groups
	keys   *services.Keys
}

func newLocal(db *services.Database, j *journal.Journal) *local {
	return &local{services.NewUsers(db, j, services.NewHasher()), services.NewGroups(db, j), services.NewKeys(db, j)}
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
	c := services.UserChange{DisplayName: change.DisplayName, Password: change.Password, Disabled: change.Disabled}
	if change.Role != nil {
		c.Role = new(models.Role(*change.Role))
	}
	row, err := l.users.Update(ctx, username, c)
	if err != nil {
		return nil, err
	}
	return userOf(row), nil
}

func userOf(row *models.User) *client.User {
	return &client.User{
		Username: row.Username, DisplayName: row.DisplayName, Role: string(row.Role), Locale: row.Locale,
		Disabled: row.DisabledAt != nil, CreatedAt: row.CreatedAt.Time(),
	}
}

func (l *local) Groups(ctx context.Context) ([]client.Group, error) {
	rows, err := l.groups.List(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]client.Group, len(rows))
	for i, row := range rows {
		groups[i] = client.Group{Name: row.Name, DisplayName: row.DisplayName, Members: row.Members, CreatedAt: row.CreatedAt.Time()}
	}
	return groups, nil
}

func (l *local) AddGroup(ctx context.Context, name, displayName string) (*client.Group, error) {
	row, err := l.groups.Add(ctx, name, displayName)
	if err != nil {
		return nil, err
	}
	return &client.Group{Name: row.Name, DisplayName: row.DisplayName, CreatedAt: row.CreatedAt.Time()}, nil
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
	row, secret, err := l.keys.Create(ctx, k.Name, scopes, expires)
	if err != nil {
		return nil, err
	}
	key := keyOf(row)
	key.Secret = secret
	return key, nil
}

func (l *local) RevokeKey(ctx context.Context, id int64) error { return l.keys.Revoke(ctx, id) }

func keyOf(row *models.Key) *client.Key {
	key := &client.Key{ID: row.ID, Name: row.Name, CreatedAt: row.CreatedAt.Time()}
	for _, s := range row.Scopes() {
		key.Scopes = append(key.Scopes, string(s))
	}
	if row.ExpiresAt != nil {
		key.ExpiresAt = new(row.ExpiresAt.Time())
	}
	return key
}
