package services

import (
	"context"
	"encoding/json"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Preferences keeps what people have chosen.
type Preferences struct {
	db      *Database
	journal *journal.Journal
}

// NewPreferences makes the service.
func NewPreferences(db *Database, j *journal.Journal) *Preferences {
	return &Preferences{db: db, journal: j}
}

// Get gives what one person has chosen.
func (p *Preferences) Get(ctx context.Context, user int64) (models.Preferences, error) {
	all, err := p.Of(ctx, user)
	return all[user], err
}

// Of is Get for many. Who has chosen nothing has the defaults.
func (p *Preferences) Of(ctx context.Context, users ...int64) (map[int64]models.Preferences, error) {
	var rows []struct {
		UserID int64
		Chosen string
	}
	if err := p.db.Read.WithContext(ctx).Raw("SELECT user_id, chosen FROM preferences WHERE user_id IN ?", users).Scan(&rows).Error; err != nil {
		return nil, err
	}
	all := make(map[int64]models.Preferences, len(users))
	for _, user := range users {
		all[user] = models.DefaultPreferences()
	}
	for _, r := range rows {
		var chosen models.Preferences
		if err := json.Unmarshal([]byte(r.Chosen), &chosen); err != nil {
			return nil, err
		}
		all[r.UserID] = chosen
	}
	return all, nil
}

// Replace stores what a person has chosen, instead of what there was.
func (p *Preferences) Replace(ctx context.Context, user int64, chosen models.Preferences) error {
	if err := refuse(chosen.Check()); err != nil {
		return err
	}
	text, err := json.Marshal(chosen)
	if err != nil {
		return err
	}
	locale := ""
	if chosen.Locale != nil {
		locale = *chosen.Locale
	}
	_, err = p.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// First, as whoever deletes a person does: of two that take the head and the person's row, each in another order, either
		// would wait for the other.
		if _, err := p.journal.Fix(tx); err != nil {
			return nil, err
		}
		var old []string
		if err := tx.Raw("SELECT locale FROM users WHERE id = ?", user).Scan(&old).Error; err != nil {
			return nil, err
		}
		if len(old) == 0 {
			return nil, models.ErrNotFound
		}
		err := tx.Exec("INSERT INTO preferences (user_id, chosen) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET chosen = excluded.chosen", user, string(text)).Error
		if err != nil || old[0] == locale {
			return nil, err
		}
		// What is kept of the person in memory, on each node, shows the old one.
		return []journal.Draft{accountDraft(user, accountChanged)}, tx.Exec("UPDATE users SET locale = ? WHERE id = ?", locale, user).Error
	})
	return err
}
