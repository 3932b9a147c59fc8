package services

import (
	"context"
	"slices"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// nameChunk keeps a query's parameters below SQLite's limit.
const nameChunk = 500

// userIDs finds people by name, each once.
func userIDs(tx *gorm.DB, usernames []string, field string) ([]int64, error) {
	found, err := findNames(tx.Model(&models.User{}), "username", usernames)
	if err != nil {
		return nil, err
	}
	return idsOf(usernames, found, field, unknownUser)
}

const (
	unknownUser  = "There is no user "
	unknownGroup = "There is no group "
)

// findNames gives the ids of the names there are, in lower case.
func findNames(model *gorm.DB, column string, names []string) (map[string]int64, error) {
	found := make(map[string]int64, len(names))
	for chunk := range slices.Chunk(names, nameChunk) {
		lower := make([]string, len(chunk))
		for i, name := range chunk {
			lower[i] = strings.ToLower(name)
		}
		var rows []struct {
			ID   int64
			Name string
		}
		err := model.Session(&gorm.Session{}).Select("id, lower("+column+") AS name").Where("lower("+column+") IN ?", lower).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			found[r.Name] = r.ID
		}
	}
	return found, nil
}

// idsOf gives each name's id, each once. The first unknown name is refused, and named: it is the one thing
// that the sender has to know.
func idsOf(names []string, found map[string]int64, field, unknown string) ([]int64, error) {
	ids := make([]int64, 0, len(names))
	for _, name := range names {
		id, ok := found[strings.ToLower(name)]
		if !ok {
			return nil, models.InvalidField(field, unknown+name+".")
		}
		ids = append(ids, id)
	}
	if len(ids) > 1 {
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	return ids, nil
}

// directory knows whom a name stands for, so that a publish costs no query.
type directory struct {
	db            *Database
	journal       *journal.Journal
	users, groups *cache[string, int64] // by name in lower case
}

func newDirectory(db *Database, j *journal.Journal) *directory {
	d := &directory{db: db, journal: j, users: newCache[string, int64](), groups: newCache[string, int64]()}
	j.Observe(func(e *journal.Entry) {
		switch e.Kind {
		case kindAccount:
			d.users.forgetWhere(func(id int64) bool { return userAudience(id) == e.Audiences[0] })
		case kindGroupChanged, kindGroupRemoved:
			d.groups.forgetWhere(func(id int64) bool { return groupAudience(id) == e.Audiences[0] })
		}
	}, func() { d.users.clear(); d.groups.clear() })
	return d
}

func (d *directory) userIDs(ctx context.Context, names []string) ([]int64, error) {
	found, err := d.find(d.users, names, func(names []string) (map[string]int64, error) {
		return findNames(d.db.Read.WithContext(ctx).Model(&models.User{}), "username", names)
	})
	if err != nil {
		return nil, err
	}
	return idsOf(names, found, "to.users", unknownUser)
}

func (d *directory) groupIDs(ctx context.Context, names []string) ([]int64, error) {
	found, err := d.find(d.groups, names, func(names []string) (map[string]int64, error) {
		return findNames(d.db.Read.WithContext(ctx).Model(&models.Group{}).Where(enabled), "name", names)
	})
	if err != nil {
		return nil, err
	}
	ids, err := idsOf(names, found, "to.groups", unknownGroup)
	if err != nil {
		return nil, d.disabled(ctx, names, err)
	}
	return ids, nil
}

// enabled holds of groups that take notices, and of people who may sign in.
const enabled = "disabled_at IS NULL"

// disabled says of a refused name that its group is there, where that is so.
func (d *directory) disabled(ctx context.Context, names []string, unknown error) error {
	all, err := findNames(d.db.Read.WithContext(ctx).Model(&models.Group{}).Where("NOT "+enabled), "name", names)
	for _, name := range names {
		if _, there := all[strings.ToLower(name)]; there && err == nil {
			return models.InvalidField("to.groups", "The group "+name+" is disabled.")
		}
	}
	return unknown
}

// warm reads the names of everybody, up to what memory holds.
func (d *directory) warm(ctx context.Context) error {
	for _, kind := range []struct {
		known                *cache[string, int64]
		table, column, which string
	}{{d.users, "users", "username", ""}, {d.groups, "groups", "name", enabled}} {
		_, turn, _ := kind.known.get("")
		var rows []struct {
			ID   int64
			Name string
		}
		err := d.db.Read.WithContext(ctx).Table(kind.table).Where(kind.which).Select("id, lower(" + kind.column + ") AS name").Limit(cacheLimit).Scan(&rows).Error
		if err != nil {
			return err
		}
		for _, r := range rows {
			kind.known.put(turn, r.Name, r.ID)
		}
	}
	return nil
}

// find looks in memory first, and for what is not there in the database, at once for all.
func (d *directory) find(known *cache[string, int64], names []string, read func([]string) (map[string]int64, error)) (map[string]int64, error) {
	found := make(map[string]int64, len(names))
	var missing []string
	_, turn, _ := known.get("")
	_, fresh := d.journal.Fresh()
	for _, name := range names {
		lower := strings.ToLower(name)
		if id, _, ok := known.get(lower); ok && fresh {
			found[lower] = id
		} else {
			missing = append(missing, lower)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	rest, err := read(missing)
	for name, id := range rest {
		known.put(turn, name, id)
		found[name] = id
	}
	return found, err
}

// Recipient is somebody a caller may write to.
type Recipient struct {
	Type        string `json:"type" enum:"user,group"`
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
}

// MaxRecipientHits bounds the answer to a look-up: it serves typing ahead, not listing everybody.
const MaxRecipientHits = 20

// Recipients finds people, and for who may send to them groups, whose name begins or contains the
// text, in any case.
type Recipients struct{ db *Database }

// NewRecipients makes the service.
func NewRecipients(db *Database) *Recipients { return &Recipients{db: db} }

// Find gives at most MaxRecipientHits, those that begin with the text first.
func (r *Recipients) Find(ctx context.Context, p *Principal, text string) ([]Recipient, error) {
	text = strings.ToLower(text)
	like := "%" + escapeLike(text) + "%"
	query := `SELECT 'user' AS type, username AS name, display_name FROM users
		WHERE disabled_at IS NULL AND (lower(username) LIKE ? ESCAPE '\' OR lower(display_name) LIKE ? ESCAPE '\')`
	args := []any{like, like}
	if p.Key != nil || p.IsAdmin() {
		query += ` UNION ALL SELECT 'group', name, display_name FROM groups
			WHERE disabled_at IS NULL AND (lower(name) LIKE ? ESCAPE '\' OR lower(display_name) LIKE ? ESCAPE '\')`
		args = append(args, like, like)
	}
	query = "SELECT * FROM (" + query + `) AS found ORDER BY CASE WHEN lower(name) LIKE ? ESCAPE '\' THEN 0 ELSE 1 END, lower(name) LIMIT ?`
	args = append(args, escapeLike(text)+"%", MaxRecipientHits)
	hits := []Recipient{}
	err := r.db.Read.WithContext(ctx).Raw(query, args...).Scan(&hits).Error
	return hits, err
}

// escapeLike makes a text stand for itself in a LIKE pattern whose escape is a backslash.
func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
