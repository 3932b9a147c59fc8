package services

import (
	"context"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"belfry/services/journal"
)

const (
	// supersessionBatch is how many new notices one transaction tells of: the counts that go with them are taken while every
	// publish waits.
	supersessionBatch = 20
	// supersessionFirst is how many the first one tells of: what was published together is told together, and see paced.
	supersessionFirst = 4
	// supersessionLook is how many of a sender's notices under one key are looked through for those that newer ones superseded.
	// It is passed only where one key serves many people who are written to singly; their inboxes are right all the same.
	supersessionLook = 1_000
)

// Supersede tells streams which notices a newer one of the same sender and collapse key has taken the place of. Inboxes and
// counts do not wait for it: they go by what is in the log. Several nodes may do it at a time.
func (n *Notices) Supersede(ctx context.Context) error {
	for size := supersessionFirst; ctx.Err() == nil; {
		var waits bool
		err := n.db.Read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM supersessions)").Scan(&waits).Error
		if err != nil || !waits {
			return err
		}
		all, asked := false, size
		_, err = n.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
			began := time.Now()
			drafts, taken, err := n.supersede(tx, size)
			all, size = taken < size, paced(size, supersessionBatch, time.Since(began))
			return drafts, err
		})
		if err != nil && size < asked {
			continue // it took too long; one at a time may not
		}
		if err != nil || all { // the others are another node's
			return err
		}
	}
	return ctx.Err()
}

// keyed is a notice with a collapse key.
type keyed struct {
	LogOffset   int64
	Subject     int64
	Actor       string
	CollapseKey string
	Audiences   string
	Over        bool // withdrawn or expired: there is nothing to tell of it
}

// supersede takes some of the new notices off the list and makes the entries that tell what they superseded.
func (n *Notices) supersede(tx *gorm.DB, most int) (drafts []journal.Draft, taken int, err error) {
	fresh, taken, err := n.takeFresh(tx, most)
	if err != nil {
		return nil, taken, err
	}
	var told supersessions
	for len(fresh) > 0 {
		newest := fresh[0]
		same := func(k keyed) bool { return k.Actor == newest.Actor && k.CollapseKey == newest.CollapseKey }
		var line []keyed
		err := tx.Raw("SELECT log_offset, subject, audiences, (withdrawn_at IS NOT NULL OR COALESCE(expires_at <= "+n.db.now()+", false)) AS over FROM entries"+
			" WHERE kind = 'notice' AND actor = ? AND collapse_key = ? AND collapse_key <> '' AND log_offset < ? ORDER BY log_offset DESC LIMIT ?",
			newest.Actor, newest.CollapseKey, newest.LogOffset, supersessionLook).Scan(&line).Error
		if err != nil {
			return nil, taken, err
		}
		for _, k := range fresh {
			if same(k) {
				if err := told.by(tx, k, line); err != nil {
					return nil, taken, err
				}
			}
		}
		fresh = slices.DeleteFunc(fresh, same)
	}
	drafts, err = n.tell(tx, &told)
	return drafts, taken, err
}

// takeFresh takes the rows themselves, so that each notice is told of by one node; newest first. What has been trimmed
// meanwhile is taken too, and nothing is left to tell of it.
func (n *Notices) takeFresh(tx *gorm.DB, most int) (fresh []keyed, taken int, err error) {
	lock := ""
	if n.db.Dialect == Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	var offsets []int64
	err = tx.Raw("DELETE FROM supersessions WHERE log_offset IN (SELECT log_offset FROM supersessions ORDER BY log_offset LIMIT ?"+lock+") RETURNING log_offset", most).Scan(&offsets).Error
	if err != nil || len(offsets) == 0 {
		return nil, 0, err
	}
	err = tx.Raw("SELECT log_offset, actor, collapse_key, audiences FROM entries WHERE log_offset IN ? ORDER BY log_offset DESC", offsets).Scan(&fresh).Error
	return fresh, len(offsets), err
}

// supersessions is who has to be told of which notices, in the order in which that was found.
type supersessions struct {
	order []string // audiences
	of    map[string][]int64
}

func (t *supersessions) add(audiences []string, notice int64) {
	slices.Sort(audiences)
	name := strings.Join(audiences, " ")
	if t.of == nil {
		t.of = map[string][]int64{}
	}
	if t.of[name] == nil {
		t.order = append(t.order, name)
	}
	t.of[name] = append(t.of[name], notice)
}

// by finds what one notice superseded among those of its sender and key, newest first: for each who gets it the newest before
// it, for that had superseded what lies further back.
func (t *supersessions) by(tx *gorm.DB, newer keyed, line []keyed) error {
	left := parseAudiences(newer.Audiences)
	told := map[string]bool{}
	for _, older := range line {
		if older.LogOffset >= newer.LogOffset {
			continue
		}
		if left.nobody() {
			return nil
		}
		both, err := left.meet(tx, newer.LogOffset, parseAudiences(older.Audiences), older.LogOffset)
		if err != nil {
			return err
		}
		both = slices.DeleteFunc(both, func(audience string) bool { return told[audience] })
		for _, audience := range both {
			told[audience] = true
		}
		if len(both) > 0 && !older.Over {
			t.add(both, older.Subject)
		}
	}
	return nil
}

func (n *Notices) tell(tx *gorm.DB, told *supersessions) ([]journal.Draft, error) {
	if len(told.order) == 0 {
		return nil, nil
	}
	if _, err := n.journal.Fix(tx); err != nil { // the counts have to be true at their own place in the log
		return nil, err
	}
	drafts := make([]journal.Draft, len(told.order))
	for i, audiences := range told.order {
		ids := told.of[audiences]
		slices.Sort(ids)
		event := StateEvent{IDs: slices.Compact(ids), State: stateSuperseded}
		var err error
		if event.Unread, err = n.unreadOf(tx, audiences); err != nil {
			return nil, err
		}
		drafts[i] = stateDraft(clockActor, event, strings.Fields(audiences)...)
	}
	return drafts, nil
}

// stateSuperseded is what becomes of a notice when a newer one takes its place.
const stateSuperseded = "superseded"

func (to *addressed) nobody() bool { return !to.everyone && len(to.groups) == 0 && len(to.users) == 0 }

func (to *addressed) audiences() (all []string) {
	if to.everyone {
		all = append(all, everyone)
	}
	for _, id := range to.groups {
		all = append(all, groupAudience(id))
	}
	for _, id := range to.users {
		all = append(all, userAudience(id))
	}
	return all
}

// meet names those who are reached by both of two notices, and takes those of them away from the newer one's who need not be
// looked for further back.
func (to *addressed) meet(tx *gorm.DB, at int64, older addressed, olderAt int64) (both []string, err error) {
	switch {
	case older.everyone:
		both, *to = to.audiences(), addressed{}
		return both, nil
	case to.everyone:
		return older.audiences(), nil
	}
	var shared addressed
	shared.groups, to.groups = divide(to.groups, older.groups)
	shared.users, to.users = divide(to.users, older.users)
	late, err := joinedBetween(tx, shared.groups, at, older, olderAt)
	if err != nil {
		return nil, err
	}
	_, older.groups = divide(older.groups, shared.groups)
	_, older.users = divide(older.users, shared.users)
	people, err := to.peopleOf(tx, at, older, olderAt)
	_, to.users = divide(to.users, people)
	to.users = append(to.users, late...)
	shared.users = append(shared.users, people...)
	return shared.audiences(), err
}

// peopleOf are those in whom two notices meet that have no audience in common: they are in a group of the one's and named by
// the other, or in a group of each.
func (to *addressed) peopleOf(tx *gorm.DB, at int64, older addressed, olderAt int64) (people []int64, err error) {
	if to.nobody() || older.nobody() || len(to.groups)+len(older.groups) == 0 {
		return nil, nil
	}
	err = tx.Raw("SELECT newer.id FROM ("+reached+") newer WHERE newer.id IN ("+reachedByOlder+") ORDER BY newer.id", older.joining(olderAt, map[string]any{"users": to.users, "groups": to.groups, "at": at})).Scan(&people).Error
	return people, err
}

// joinedBetween are the people who are in a group that two notices were for since after the older one. That one they never
// had, and may have one from further back by another way.
func joinedBetween(tx *gorm.DB, groups []int64, at int64, older addressed, olderAt int64) (late []int64, err error) {
	if len(groups) == 0 {
		return nil, nil
	}
	err = tx.Raw("SELECT DISTINCT user_id FROM memberships WHERE group_id IN @groups AND joined_offset >= @older_at AND joined_offset < @at AND user_id NOT IN ("+reachedByOlder+") ORDER BY user_id",
		older.joining(olderAt, map[string]any{"groups": groups, "at": at})).Scan(&late).Error
	return late, err
}

// joining adds what reachedByOlder asks for.
func (to *addressed) joining(at int64, args map[string]any) map[string]any {
	args["older_users"], args["older_groups"], args["older_at"] = to.users, to.groups, at
	return args
}

// reached is the people whom a notice reaches by name or by a group.
const reached = "SELECT id FROM users WHERE id IN @users UNION SELECT user_id FROM memberships WHERE group_id IN @groups AND joined_offset < @at"

// reachedByOlder is the same of the older one.
const reachedByOlder = "SELECT id FROM users WHERE id IN @older_users UNION SELECT user_id FROM memberships WHERE group_id IN @older_groups AND joined_offset < @older_at"

// divide parts what is among others from what is not.
func divide(all, among []int64) (in, out []int64) {
	for _, id := range all {
		if slices.Contains(among, id) {
			in = append(in, id)
		} else {
			out = append(out, id)
		}
	}
	return in, out
}

// nudge has it looked at once what is to be told; without it that is within sweepEvery.
func (n *Notices) nudge() {
	select {
	case n.keyed <- struct{}{}:
	default:
	}
}

// supersede tells of what was published as soon as this node knows, and of what another has left at the next look.
func (h *Housekeeping) supersede(ctx context.Context) {
	look := time.NewTicker(sweepEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.notices.keyed:
		case <-look.C:
		}
		if err := h.notices.Supersede(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("what new notices superseded cannot be told; it will be tried again", "error", err)
		}
	}
}
