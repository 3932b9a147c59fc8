package services

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
)

// Act is one thing that was done, for the record. What does not apply is empty.
type Act struct {
	Action  string         // a noun and a verb: session.locked
	Actor   *Actor         // nil = who the context says
	UserID  int64          // whom it concerns
	User    string         // the same where there is no row any more, or it is not known yet
	Session string         // which session, by its id; it is stored hashed
	Key     string         // the name of the key
	Detail  map[string]any // never a secret
}

// recordedAtOnce bounds the rows of one INSERT: a statement has at most 32,766 parameters on SQLite.
const recordedAtOnce = 500

// record writes down what was done, within the transaction that does it: neither can be without the other. Who does it is
// said by the transaction's context, which a transaction of the journal keeps though it drops the request's cancellation.
func (d *Database) record(tx *gorm.DB, acts ...Act) error {
	for len(acts) > 0 {
		n := min(len(acts), recordedAtOnce)
		if err := d.insertActs(tx, acts[:n]); err != nil {
			return err
		}
		acts = acts[n:]
	}
	return nil
}

func (d *Database) insertActs(tx *gorm.DB, acts []Act) error {
	by := actorOf(tx.Statement.Context)
	rows, args := make([]string, len(acts)), make([]any, 0, 11*len(acts))
	for i, a := range acts {
		actor := by
		if a.Actor != nil {
			actor = *a.Actor
		}
		if a.Detail == nil {
			a.Detail = map[string]any{}
		}
		detail, err := json.Marshal(a.Detail)
		if err != nil {
			return err
		}
		rows[i] = "(" + d.now() + ", ?, ?, ?, ?, COALESCE((SELECT username FROM users WHERE id = ?), ?), ?, ?, ?, ?, ?)"
		args = append(args, a.Action, actor.Type, actor.Name, hashedID(actor.Session), a.UserID, a.User, hashedID(a.Session), a.Key,
			actor.Client.IP, actor.Client.agent(), string(detail))
	}
	for i := range acts {
		if at, failed := strings.CutSuffix(acts[i].Action, ".failed"); failed {
			d.failures.inc(at)
		}
	}
	return tx.Exec("INSERT INTO audit (at, action, actor_type, actor_name, actor_session, username, session, key_name, ip, user_agent, detail) VALUES "+
		strings.Join(rows, ", "), args...).Error
}

// hashedID names a session in the record: enough to tell two apart, of no use to whoever reads it.
func hashedID(session string) string {
	if session == "" {
		return ""
	}
	return hex.EncodeToString(hashOf(session))[:16]
}

// refused records an attempt that failed and gives its refusal. Where it cannot be recorded that is the answer: the
// database is away.
func (d *Database) refused(ctx context.Context, refusal error, act Act) error {
	if err := d.record(d.Write.WithContext(ctx), act); err != nil {
		return err
	}
	return refusal
}

// Audit reads the record of who did what.
type Audit struct{ db *Database }

// NewAudit makes the service.
func NewAudit(db *Database) *Audit { return &Audit{db: db} }

// AuditFilter picks records. What is empty picks all.
type AuditFilter struct {
	Action  string // one action, or all that begin with it where it ends in a dot
	Actor   string // the name of who did it
	User    string // whom it concerned
	Session string // hashed, as the record shows it
	Since   *models.Instant
	Until   *models.Instant
	Before  int64 // records older than this one; 0 = from the newest on
}

// Page gives at most limit records, newest first.
func (a *Audit) Page(ctx context.Context, f AuditFilter, limit int) ([]models.AuditRecord, error) {
	query := a.db.Read.WithContext(ctx).Order("id DESC").Limit(limit)
	where := func(given bool, condition string, args ...any) {
		if given {
			query = query.Where(condition, args...)
		}
	}
	family := strings.HasSuffix(f.Action, ".")
	where(family, "substr(action, 1, ?) = ?", len(f.Action), f.Action)
	where(f.Action != "" && !family, "action = ?", f.Action)
	where(f.Actor != "", "lower(actor_name) = lower(?)", f.Actor)
	where(f.User != "", "lower(username) = lower(?)", f.User)
	where(f.Session != "", "session = ?", f.Session)
	where(f.Since != nil, "at >= ?", f.Since)
	where(f.Until != nil, "at < ?", f.Until)
	where(f.Before > 0, "id < ?", f.Before)
	var records []models.AuditRecord
	err := query.Find(&records).Error
	return records, err
}
