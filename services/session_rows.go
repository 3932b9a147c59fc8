package services

import (
	"encoding/json"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// sessionRows is the one way in which sessions change: the rows, the record of who did it, and the entries that tell
// every node and stream are one transaction, whoever's it is.
type sessionRows struct {
	db     *Database
	limits models.SessionLimits
}

// changed is a session right after an UPDATE, with the clock of that moment.
type changed struct {
	models.Session
	NowMs models.Instant
}

// take locks the rows that where selects in one order, whoever wants them: two that lock many of them at once, as nodes
// that write down the same expiries do, would else each wait for the other.
func (s *sessionRows) take(tx *gorm.DB, where string, args ...any) error {
	if s.db.Dialect != Postgres {
		return nil // one writer
	}
	var ids []string
	return tx.Raw("SELECT id FROM sessions WHERE "+where+" ORDER BY id FOR UPDATE", args...).Scan(&ids).Error
}

// holdUser keeps a person's row as it is until the transaction ends. Whoever disables them, or changes their password,
// changes that row first and ends the sessions then; without this a session that begins in between would be neither
// refused nor ended.
func (s *sessionRows) holdUser(tx *gorm.DB, id int64) error {
	if s.db.Dialect != Postgres {
		return nil // one writer
	}
	return tx.Exec("SELECT 1 FROM users WHERE id = ? FOR SHARE", id).Error
}

// takeUser makes those who hold a person's row come before or after: what they do is then either seen, or sees this.
func (s *sessionRows) takeUser(tx *gorm.DB, id int64) error {
	if s.db.Dialect != Postgres {
		return nil // one writer
	}
	return tx.Exec("SELECT 1 FROM users WHERE id = ? FOR NO KEY UPDATE", id).Error
}

// stillActive is the last look at a session, in the transaction that it does something in: an end of it waits for that, or
// came first.
func (s *sessionRows) stillActive(tx *gorm.DB, l *Live) error {
	rows, err := s.update(tx, "state = state", "id = ? AND state = 'active' AND secret_hash = ?", l.ID, l.SecretHash)
	if err != nil || len(rows) > 0 {
		return err
	}
	var locked bool
	if err := tx.Raw("SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ? AND state = 'locked' AND secret_hash = ?)", l.ID, l.SecretHash).Scan(&locked).Error; err != nil {
		return err
	}
	if locked {
		return ErrLocked
	}
	return errUnauthenticated
}

// update runs one conditional UPDATE and gives the rows it hit. The condition is part of the statement, so two that race
// cannot both succeed. A change of state has to be told; activity, and wrong passwords, are no events of a session's life.
func (s *sessionRows) update(tx *gorm.DB, set, where string, args ...any) ([]changed, error) {
	var rows []changed
	err := tx.Raw("UPDATE sessions SET "+set+" WHERE "+where+" RETURNING *, "+s.db.now()+" AS now_ms", args...).Scan(&rows).Error
	return rows, err
}

// actions are what the record calls a session's new state.
var actions = map[models.SessionState]string{
	models.SessionActive: "session.unlocked", models.SessionLocked: "session.locked", models.SessionEnded: "session.ended",
}

// tell records changes of state, and gives the entries that tell of them. how says by which proof a session was unlocked;
// empty for the others.
func (s *sessionRows) tell(tx *gorm.DB, rows []changed, how string) ([]journal.Draft, error) {
	acts, events := make([]Act, len(rows)), make([]sessionEvent, len(rows))
	for i := range rows {
		row := &rows[i].Session
		acts[i] = Act{Action: actions[row.State], UserID: row.UserID, Session: row.ID, Detail: map[string]any{}}
		if row.Reason != nil {
			acts[i].Detail["reason"] = *row.Reason
		}
		if how != "" {
			acts[i].Detail["how"] = how
		}
		events[i] = sessionEvent{Event: models.WebhookEvent(acts[i].Action), Session: row.ID, UserID: row.UserID, State: row.State, Reason: row.Reason, At: rows[i].NowMs}
	}
	if err := s.db.record(tx, acts...); err != nil {
		return nil, err
	}
	if err := unsubscribeEnded(tx, rows); err != nil {
		return nil, err
	}
	return s.drafts(rows), s.db.tellWebhooks(tx, events...)
}

func (s *sessionRows) drafts(rows []changed) []journal.Draft {
	drafts := make([]journal.Draft, len(rows))
	for i := range rows {
		payload, err := json.Marshal(lockEvent(rows[i].Judge(s.limits, rows[i].NowMs)))
		if err != nil {
			panic("services: a lock event has no JSON: " + err.Error()) // strings and numbers always have
		}
		drafts[i] = journal.Draft{Kind: kindLock, Actor: userAudience(rows[i].UserID), Audiences: []string{lockAudience(rows[i].ID)}, Payload: payload}
	}
	return drafts
}

// end ends the sessions that where selects, within the caller's transaction.
func (s *sessionRows) end(tx *gorm.DB, reason models.Reason, where string, args ...any) ([]journal.Draft, error) {
	if err := s.take(tx, "state <> 'ended' AND "+where, args...); err != nil {
		return nil, err
	}
	rows, err := s.update(tx, "state = 'ended', reason = ?, ended_at = "+s.db.now(), "state <> 'ended' AND "+where, append([]any{reason}, args...)...)
	if err != nil {
		return nil, err
	}
	return s.tell(tx, rows, "")
}
