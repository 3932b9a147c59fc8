package services

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
)

// nameChunk keeps a query's parameters below SQLite's limit.
const nameChunk = 500

// userIDs finds people by name, in any case, each once. The first unknown name is refused, and named:
// it is the one thing that the sender has to know.
func userIDs(tx *gorm.DB, usernames []string, field string) ([]int64, error) {
	return idsOf(tx.Model(&models.User{}), "username", usernames, field, "There is no user ")
}

func groupIDs(tx *gorm.DB, names []string, field string) ([]int64, error) {
	return idsOf(tx.Model(&models.Group{}), "name", names, field, "There is no group ")
}

func idsOf(model *gorm.DB, column string, names []string, field, unknown string) ([]int64, error) {
	found := make(map[string]int64, len(names))
	for at := 0; at < len(names); at += nameChunk {
		chunk := make([]string, 0, nameChunk)
		for _, name := range names[at:min(at+nameChunk, len(names))] {
			chunk = append(chunk, strings.ToLower(name))
		}
		var rows []struct {
			ID   int64
			Name string
		}
		err := model.Session(&gorm.Session{}).Select("id, lower("+column+") AS name").Where("lower("+column+") IN ?", chunk).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			found[r.Name] = r.ID
		}
	}
	ids := make([]int64, 0, len(names))
	used := map[int64]bool{}
	for _, name := range names {
		id, ok := found[strings.ToLower(name)]
		if !ok {
			return nil, models.InvalidField(field, unknown+name+".")
		}
		if !used[id] {
			used[id] = true
			ids = append(ids, id)
		}
	}
	return ids, nil
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
		query += ` UNION ALL SELECT 'group', name, display_name FROM groups WHERE lower(name) LIKE ? ESCAPE '\' OR lower(display_name) LIKE ? ESCAPE '\'`
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
