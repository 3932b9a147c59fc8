package services

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"belfry/models"
)

// The bounds of turning the log into deliveries.
const (
	pushNews   = time.Hour // what is older when it is come to is no news any more: this server was away
	pushRead   = 500       // entries of the log that are looked at at once
	pushSpread = 2_000     // deliveries that are written at once: on SQLite every publish waits for them
)

// pushProgress is a place in the log: all below LogOffset is done, and of LogOffset itself the subscriptions up to
// SubscriptionID.
type pushProgress struct {
	LogOffset      int64
	SubscriptionID int64
}

// pushNewsOf is what of the log is to be pushed.
type pushNewsOf struct {
	list []pushFor
	back map[int64][]int64 // of an entry that tells of the end of a snooze: where the notices are that came back
}

// pushFor is a place in the log where there is news, and somebody whom it is for.
type pushFor struct {
	offset int64
	kind   string // userPrefix, groupPrefix or everyone
	id     int64
}

// spread turns what is new in the log into deliveries. Every node does; whoever moves the place on, in the transaction
// that writes the deliveries, has written them once and for all.
func (p *Push) spread(ctx context.Context) error {
	for ctx.Err() == nil {
		done, err := p.spreadSome(ctx)
		if err != nil || done {
			return err
		}
	}
	return ctx.Err()
}

// spreadSome reports whether the end of the log was reached.
func (p *Push) spreadSome(ctx context.Context) (done bool, err error) {
	from, head, err := p.progress(ctx)
	if err != nil || !p.lanes.some.Load() {
		return true, err
	}
	start := p.from(from, head)
	news, to, err := p.unspread(ctx, start, head)
	if err != nil {
		return false, err
	}
	found, err := p.subscribed(ctx, start, news.list)
	if err != nil {
		return false, err
	}
	next := pushProgress{LogOffset: to + 1}
	deliveries, taken := news.each(found, p.batch)
	if taken < len(found) || taken == p.batch {
		next = pushProgress{LogOffset: found[taken-1].LogOffset, SubscriptionID: found[taken-1].SubscriptionID}
	}
	if len(deliveries) > 0 {
		if err := p.write(ctx, from, next, deliveries); err != nil {
			return false, err
		}
	}
	p.passed(next, len(deliveries) > 0)
	return to >= head && next.SubscriptionID == 0, nil
}

// progress reads the place that was reached and the end of the log. Where nobody has subscribed there is nothing to do.
func (p *Push) progress(ctx context.Context) (from pushProgress, head int64, err error) {
	var row struct {
		LogOffset, SubscriptionID, Head int64
		Floor                           *int64 // the oldest subscription's place
	}
	err = p.db.Read.WithContext(ctx).Raw("SELECT log_offset, subscription_id, head, (SELECT min(after_offset) FROM push_subscriptions) AS floor FROM push_progress CROSS JOIN log_head").Scan(&row).Error
	if err != nil {
		return from, 0, err
	}
	p.lanes.some.Store(row.Floor != nil)
	if row.Floor != nil && row.LogOffset <= *row.Floor { // nobody had subscribed for long
		p.passed(pushProgress{LogOffset: *row.Floor + 1}, false)
	}
	return pushProgress{row.LogOffset, row.SubscriptionID}, row.Head, nil
}

// passed notes in memory what there was nothing to write down for: a write for every notice that nobody has subscribed for
// would cost SQLite as much as the notice. Whoever reads it again finds nothing again.
func (p *Push) passed(to pushProgress, written bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if written {
		p.seen = 0
	} else if to.SubscriptionID == 0 {
		p.seen = max(p.seen, to.LogOffset)
	}
}

// lookAnew forgets what was passed: offsets mean other entries.
func (p *Push) lookAnew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = 0
}

func (p *Push) from(stored pushProgress, head int64) pushProgress {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen > stored.LogOffset && p.seen <= head+1 {
		return pushProgress{LogOffset: p.seen}
	}
	return stored
}

// unspread reads whom the next news are for, and the last offset that was looked at. News is a notice, or that some are back
// because their snooze has ended: who brings them back by hand knows of it.
func (p *Push) unspread(ctx context.Context, from pushProgress, head int64) (news pushNewsOf, to int64, err error) {
	var rows []struct {
		LogOffset int64
		Audiences string
		State     string // the payload of what tells of a state
	}
	err = p.db.Read.WithContext(ctx).Raw("SELECT log_offset, audiences, CASE WHEN kind = @notice THEN '' ELSE payload END AS state FROM entries WHERE log_offset >= @from AND log_offset <= @head AND (kind = @notice OR kind = @state AND actor = @clock) AND created_at > "+
		p.db.moment()+" - @old ORDER BY log_offset LIMIT @most",
		map[string]any{"notice": kindNotice, "state": kindNoticeState, "clock": clockActor, "from": from.LogOffset, "head": head, "old": pushNews.Milliseconds(), "most": pushRead}).Scan(&rows).Error
	if err != nil {
		return news, 0, err
	}
	news.back = map[int64][]int64{}
	for _, row := range rows {
		if row.State != "" {
			back, err := p.back(ctx, row.State)
			if err != nil {
				return news, 0, err
			}
			if len(back) == 0 {
				continue
			}
			news.back[row.LogOffset] = back
		}
		news.add(row.LogOffset, parseAudiences(row.Audiences))
	}
	if len(rows) == pushRead {
		return news, rows[pushRead-1].LogOffset, nil
	}
	return news, head, nil
}

func (n *pushNewsOf) add(offset int64, to addressed) {
	for _, id := range to.users {
		n.list = append(n.list, pushFor{offset, userPrefix, id})
	}
	for _, id := range to.groups {
		n.list = append(n.list, pushFor{offset, groupPrefix, id})
	}
	if to.everyone {
		n.list = append(n.list, pushFor{offset, everyone, 0})
	}
}

// back finds where the notices are that a state tells to be back.
func (p *Push) back(ctx context.Context, payload string) (places []int64, err error) {
	var event StateEvent
	if err := json.Unmarshal([]byte(payload), &event); err != nil || event.State != stateUnsnoozed {
		return nil, err
	}
	for ids := range slices.Chunk(event.IDs, nameChunk) {
		var some []int64
		// One by one, as in byID.
		err := p.db.Read.WithContext(ctx).Raw("SELECT log_offset FROM entries WHERE kind = 'notice' AND subject = log_offset AND log_offset IN @ids UNION ALL SELECT log_offset FROM entries WHERE kind = 'notice' AND subject <> log_offset AND subject IN @ids",
			map[string]any{"ids": ids}).Scan(&some).Error
		if err != nil {
			return nil, err
		}
		places = append(places, some...)
	}
	return places, nil
}

// each makes a delivery of each notice, from as many of those that were found as make most of them, or of the first alone.
// What came back together is written together: the place that was reached does not tell of parts.
func (n *pushNewsOf) each(found []models.PushDelivery, most int) (deliveries []models.PushDelivery, taken int) {
	for _, d := range found {
		places := n.back[d.LogOffset]
		if places == nil {
			places = []int64{d.LogOffset}
		}
		if taken > 0 && len(deliveries)+len(places) > most {
			break
		}
		for _, place := range places {
			d.LogOffset = place
			deliveries = append(deliveries, d)
		}
		taken++
	}
	return deliveries, taken
}

// subscribed finds the subscriptions of those whom notices are for, in order, after a place. A crowd may have more of them than
// are wanted, so it is not asked for many crowds at once, as long as it is not known that they are small.
func (p *Push) subscribed(ctx context.Context, after pushProgress, list []pushFor) (found []models.PushDelivery, err error) {
	for crowds := 1; len(list) > 0 && len(found) < p.batch; crowds *= 2 {
		n := askedAtOnce(list, crowds)
		some, err := p.subscribedSome(ctx, after, list[:n], p.batch-len(found))
		if err != nil {
			return nil, err
		}
		found, list = append(found, some...), list[n:]
	}
	return found, nil
}

// askedAtOnce is for how many one statement looks. What is for whom of one notice stays together: who is reached by several ways
// is to be told once. What is for everyone is looked for by itself.
func askedAtOnce(list []pushFor, crowds int) (n int) {
	const most = 1_000 // parameters of a statement are bounded
	for n < len(list) && n < most && crowds > 0 {
		first, forAll := n, false
		for n < len(list) && list[n].offset == list[first].offset {
			if list[n].kind == groupPrefix {
				crowds--
			}
			forAll = forAll || list[n].kind == everyone
			n++
		}
		switch {
		case forAll && first > 0:
			return first
		case forAll:
			return n
		}
	}
	return n
}

// subscribedSome asks for the time of each notice where it is needed. As a join, PostgreSQL would read the whole log for it, while it
// has no statistics.
func (p *Push) subscribedSome(ctx context.Context, after pushProgress, list []pushFor, limit int) (found []models.PushDelivery, err error) {
	if slices.ContainsFunc(list, func(a pushFor) bool { return a.kind == everyone }) {
		return p.subscribedAll(ctx, after, list[0].offset, limit)
	}
	rows, args := make([]string, len(list)), make([]any, 0, 3*len(list)+3)
	for i, a := range list {
		rows[i] = "(CAST(? AS bigint), CAST(? AS text), CAST(? AS bigint))"
		args = append(args, a.offset, a.kind, a.id)
	}
	query := fmt.Sprintf(`WITH addressed (log_offset, kind, id) AS (VALUES %s)
		SELECT reached.*, COALESCE((SELECT e.created_at FROM entries e WHERE e.log_offset = reached.log_offset), 0) AS created_at FROM (
			SELECT a.log_offset, s.id AS subscription_id, s.service FROM addressed a
				JOIN push_subscriptions s ON s.user_id = a.id AND s.after_offset < a.log_offset WHERE a.kind = '%s'
			UNION SELECT a.log_offset, s.id, s.service FROM addressed a JOIN memberships m ON m.group_id = a.id AND m.joined_offset < a.log_offset
				JOIN push_subscriptions s ON s.user_id = m.user_id AND s.after_offset < a.log_offset WHERE a.kind = '%s'
		) reached WHERE reached.log_offset > ? OR reached.subscription_id > ? ORDER BY reached.log_offset, reached.subscription_id LIMIT ?`,
		strings.Join(rows, ", "), userPrefix, groupPrefix)
	args = append(args, after.LogOffset, after.SubscriptionID, limit)
	err = p.db.Read.WithContext(ctx).Raw(query, args...).Scan(&found).Error
	return found, err
}

// subscribedAll is the same for everyone, and so for whoever else the notice names. It begins where the last look ended, or each
// would go through all subscriptions there are.
func (p *Push) subscribedAll(ctx context.Context, after pushProgress, offset int64, limit int) (found []models.PushDelivery, err error) {
	from := int64(0)
	if offset == after.LogOffset {
		from = after.SubscriptionID
	}
	err = p.db.Read.WithContext(ctx).Raw(`SELECT e.log_offset, s.id AS subscription_id, s.service, e.created_at FROM push_subscriptions s
		JOIN users u ON u.id = s.user_id AND u.joined_offset < @offset JOIN entries e ON e.log_offset = @offset
		WHERE s.id > @from AND s.after_offset < @offset ORDER BY s.id LIMIT @limit`,
		map[string]any{"offset": offset, "from": from, "limit": limit}).Scan(&found).Error
	return found, err
}

// write moves the place on and writes the deliveries, unless another node has done so.
func (p *Push) write(ctx context.Context, from, to pushProgress, found []models.PushDelivery) error {
	return p.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		moved := tx.Exec("UPDATE push_progress SET log_offset = ?, subscription_id = ? WHERE log_offset = ? AND subscription_id = ?",
			to.LogOffset, to.SubscriptionID, from.LogOffset, from.SubscriptionID)
		if moved.Error != nil || moved.RowsAffected == 0 {
			return moved.Error
		}
		var now models.Instant
		if err := tx.Raw("SELECT " + p.db.now()).Scan(&now).Error; err != nil {
			return err
		}
		for i := range found {
			found[i].DueAt = now
		}
		return tx.CreateInBatches(found, nameChunk/2).Error
	})
}
