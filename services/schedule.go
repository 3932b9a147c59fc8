package services

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// kindSchedule is the entry that gives a notice its id before it is to reach anybody. It is for nobody, so no stream shows it.
const kindSchedule = "schedule"

const (
	// releaseBatch is how many notices one transaction releases: publishers wait while they are appended.
	releaseBatch = 1000
	// releaseLook is how often it is looked for the next one at least: another node may have been given one.
	releaseLook = time.Second
	// releaseRetry is when to look again for those that another node is at.
	releaseRetry = 50 * time.Millisecond
	// scheduleChunk is how many one statement writes on SQLite, whose driver looks for each value among all of the statement.
	scheduleChunk = 50
	// releaseLock is the name of the advisory lock of who releases.
	releaseLock = 822302
)

// schedule is a notice that waits for its time.
type schedule struct {
	ID          int64 `gorm:"primaryKey;autoIncrement:false"`
	Actor       string
	Topic       string
	CollapseKey string
	Audiences   string
	Payload     string
	ExpiresAt   *int64
	DeliverAt   models.Instant
	CreatedAt   models.Instant `gorm:"autoCreateTime:false"`
}

// waits reports whether the notice's time is still to come. What is late, or has no time, goes out at once.
func (o *Outgoing) waits(now models.Instant) bool { return o.DeliverAt != nil && *o.DeliverAt > now }

// settle makes a time of a delay.
func (o *Outgoing) settle(now models.Instant) {
	if o.DeliverAt == nil && o.Delay > 0 {
		o.DeliverAt = new(now + models.Instant(o.Delay.Milliseconds()))
	}
}

// timeFaults names what is wrong with the times of a notice that waits.
func (o *Outgoing) timeFaults(now models.Instant) (faults []models.FieldError) {
	if !o.waits(now) {
		return nil
	}
	if o.DeliverAt.Time().After(now.Time().AddDate(1, 0, 0)) {
		faults = append(faults, models.FieldError{Field: "deliver_at", Detail: "At most a year ahead."})
	}
	if o.Content.ExpiresAt != nil && *o.Content.ExpiresAt <= *o.DeliverAt {
		faults = append(faults, models.FieldError{Field: "expires_at", Detail: "After deliver_at."})
	}
	return faults
}

// clockFor is the database's time, where it is needed to tell whether one of these waits; else 0.
func (n *Notices) clockFor(ctx context.Context, batch ...Outgoing) (models.Instant, error) {
	if !slices.ContainsFunc(batch, func(o Outgoing) bool { return o.DeliverAt != nil || o.Delay > 0 }) {
		return 0, nil
	}
	return n.db.clock(ctx)
}

// draft is a notice that was checked.
type draft struct {
	journal.Draft
	deliverAt models.Instant // 0 = at once
	timed     bool           // the request named a time, which may have passed
}

// entry is what of it goes into the log now.
func (d *draft) entry() journal.Draft {
	if d.deliverAt == 0 {
		return d.Draft
	}
	return journal.Draft{Kind: kindSchedule, Actor: d.Actor, Payload: json.RawMessage("{}"), Once: d.Once}
}

// schedule is the row of one that waits.
func (d *draft) schedule(at journal.Receipt) schedule {
	row := schedule{ID: at.Offset, Actor: d.Actor, Topic: d.Topic, CollapseKey: d.CollapseKey, Audiences: strings.Join(d.Audiences, " "),
		Payload: string(d.Payload), DeliverAt: d.deliverAt, CreatedAt: models.Instant(at.CreatedAt)}
	if d.ExpiresAt != 0 {
		row.ExpiresAt = &d.ExpiresAt
	}
	return row
}

// append puts notices into the log, or the names of those that wait, whose rows are written with them.
func (n *Notices) append(ctx context.Context, drafts []draft) ([]journal.Receipt, error) {
	entries, waiting := make([]journal.Draft, len(drafts)), false
	for i := range drafts {
		entries[i], waiting = drafts[i].entry(), waiting || drafts[i].deliverAt != 0
	}
	if !waiting {
		return n.journal.Append(ctx, entries...)
	}
	return n.journal.AppendWith(ctx, entries, func(tx *gorm.DB, receipts []journal.Receipt) error {
		var rows []schedule
		for i := range drafts {
			if drafts[i].deliverAt != 0 && !receipts[i].Replayed {
				rows = append(rows, drafts[i].schedule(receipts[i]))
			}
		}
		if len(rows) == 0 {
			return nil
		}
		chunk := nameChunk
		if n.db.Dialect == SQLite {
			chunk = scheduleChunk
		}
		return tx.CreateInBatches(rows, chunk).Error
	})
}

// answer says where a notice went. One that waited has no place, and the same request again is told so too, though it may
// have been released since.
func (n *Notices) answer(ctx context.Context, d *draft, id int64, replayed bool) (Published, error) {
	done := n.published(id, replayed)
	waited := d.deliverAt != 0
	if replayed && d.timed {
		var notices int64
		err := n.db.Read.WithContext(ctx).Raw("SELECT count(*) FROM entries WHERE log_offset = ? AND kind = ?", id, kindNotice).Scan(&notices).Error
		if err != nil {
			return Published{}, err
		}
		waited = notices == 0
	}
	if waited {
		done.Cursor = ""
	}
	return done, nil
}

// Release puts the notices whose time has come into the log, in the order of their times, and says when to look again. Each
// node does it; each notice is released by one of them, once.
func (n *Notices) Release(ctx context.Context) (wait time.Duration, err error) {
	for {
		var next struct{ At, Now models.Instant }
		err := n.db.Read.WithContext(ctx).Raw("SELECT COALESCE(min(deliver_at), 0) AS at, " + n.db.now() + " AS now FROM schedules WHERE withdrawn_at IS NULL").Scan(&next).Error
		if err != nil || next.At == 0 {
			return releaseLook, err
		}
		if next.At > next.Now {
			return min(releaseLook, next.At.Time().Sub(next.Now.Time())), nil
		}
		released, err := n.releaseDue(ctx)
		if err != nil || released == 0 {
			return releaseRetry, err
		}
	}
}

// releaseDue releases until fewer were due than one transaction takes: while there are more nothing else need be asked.
func (n *Notices) releaseDue(ctx context.Context) (released int, err error) {
	for {
		receipts, err := n.journal.Transact(ctx, n.due)
		if released += len(receipts); err != nil || len(receipts) < releaseBatch || ctx.Err() != nil {
			return released, err
		}
	}
}

// due takes what is due out of the table and makes entries of it, in one transaction, one node at a time: two would want the
// same rows, lock them each in an order of its own, and wait for each other. Whoever is at it takes all, so the other need not
// wait. The index on the times gives them in order. Where PostgreSQL believes that few are due it would rather read them all and
// sort, with each batch; it cannot know how many they are, so it is told not to.
func (n *Notices) due(tx *gorm.DB) ([]journal.Draft, error) {
	if n.db.Dialect == Postgres {
		var mine bool
		if err := tx.Raw("SELECT pg_try_advisory_xact_lock(?) AND set_config('enable_sort', 'off', true) = 'off'", releaseLock).Scan(&mine).Error; err != nil || !mine {
			return nil, err
		}
	}
	var rows []schedule
	err := tx.Raw("DELETE FROM schedules WHERE " + n.dueFirst() + " AND NOT " + senderInactive + " RETURNING *").Scan(&rows).Error
	if err == nil && len(rows) < releaseBatch { // else there was none of these among the first
		err = n.dropInactive(tx)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b schedule) int {
		return cmp.Or(cmp.Compare(a.DeliverAt, b.DeliverAt), cmp.Compare(a.ID, b.ID))
	})
	drafts := make([]journal.Draft, len(rows))
	for i, r := range rows {
		drafts[i] = journal.Draft{Kind: kindNotice, Subject: r.ID, Actor: r.Actor, Topic: r.Topic, CollapseKey: r.CollapseKey,
			Audiences: strings.Fields(r.Audiences), Payload: json.RawMessage(r.Payload)}
		if r.ExpiresAt != nil {
			drafts[i].ExpiresAt = *r.ExpiresAt
		}
	}
	return drafts, nil
}

// dueFirst is the first of those whose time has come. The clock is read once, by a query of its own: as part of the condition it
// would be read for every row. On PostgreSQL they are named by where they lie, for a join could be a look at the whole table.
// Outside of the choice too it says that they are not withdrawn: one that is being withdrawn is waited for, and looked at again
// by that condition alone.
func (n *Notices) dueFirst() string {
	place, among := "id", "IN (%s)"
	if n.db.Dialect == Postgres {
		place, among = "ctid", "= ANY(ARRAY(%s))"
	}
	first := "SELECT " + place + " FROM schedules WHERE withdrawn_at IS NULL AND deliver_at <= " + n.db.moment() +
		" ORDER BY deliver_at, id LIMIT " + strconv.Itoa(releaseBatch)
	return "withdrawn_at IS NULL AND " + place + " " + fmt.Sprintf(among, first)
}

// senderInactive is whether who scheduled a notice is disabled or deleted, or the key revoked. A key that has expired was
// good when it was used, and nobody took it away.
const senderInactive = `(CASE WHEN actor LIKE 'user:%'
	THEN NOT EXISTS (SELECT 1 FROM users WHERE users.id = CAST(substr(schedules.actor, 6) AS bigint) AND disabled_at IS NULL)
	ELSE NOT EXISTS (SELECT 1 FROM api_keys WHERE api_keys.id = CAST(substr(schedules.actor, 5) AS bigint) AND revoked_at IS NULL) END)`

// dropInactive withdraws, of those whose time has come, what was scheduled by somebody who may not send any more.
func (n *Notices) dropInactive(tx *gorm.DB) error {
	var rows []schedule
	err := tx.Raw("UPDATE schedules SET withdrawn_at = " + n.db.now() + " WHERE " + n.dueFirst() + " AND " + senderInactive + " RETURNING *").Scan(&rows).Error
	if err != nil {
		return err
	}
	acts := make([]Act, len(rows))
	for i, r := range rows {
		var content models.NoticeContent
		if err := json.Unmarshal([]byte(r.Payload), &content); err != nil {
			return err
		}
		acts[i] = Act{Action: "notice.withdrawn", Detail: map[string]any{"notice": r.ID, "reason": "sender_inactive"}}
		if content.Sender.Type == string(ActorKey) {
			acts[i].Key = content.Sender.Name
		} else {
			acts[i].User = content.Sender.Name
		}
	}
	return n.db.record(tx, acts...)
}

// release keeps to the times of what was scheduled until ctx ends.
func (h *Housekeeping) release(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		wait, err := h.notices.Release(ctx)
		if err != nil && ctx.Err() == nil {
			h.log.Warn("scheduled notices cannot be released; it will be tried again", "error", err)
			wait = releaseLook
		}
		timer.Reset(wait)
	}
}
