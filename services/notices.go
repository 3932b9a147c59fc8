package services

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

// kindNotice is the entry that a notice is. Its payload is a models.NoticeContent.
const kindNotice = "notice"

// Notices publishes, and keeps everybody's inbox.
type Notices struct {
	db        *Database
	journal   *journal.Journal
	directory *directory
	summaries *summaries // nil where there are no streams
	counting  string     // the query for unread counts, put together once
	unsummed  *together[int64, Summary]
	searching *turns

	recountsUpTo int64 // a test has its own

	keyed chan struct{} // one with a collapse key was published; see Supersede
}

// NewNotices makes the service.
func NewNotices(db *Database, j *journal.Journal) *Notices {
	n := &Notices{db: db, journal: j, directory: newDirectory(db, j), keyed: make(chan struct{}, 1), recountsUpTo: recountsUpTo}
	n.counting = n.countingQuery()
	n.unsummed = newTogether(n.summariseAll)
	n.searching = newTurns(db.readers() / searchShare)
	j.Observe(func(e *journal.Entry) {
		if e.CollapseKey != "" {
			n.nudge()
		}
	}, func() {})
	return n
}

// Target says for whom a notice is.
type Target = models.Target

// Published says where a notice went. It is durable.
type Published struct {
	ID       int64
	Cursor   string // its place in the log; empty of one that waits for its time
	Replayed bool
}

// Outgoing is a notice on its way.
type Outgoing struct {
	To        Target
	Content   models.NoticeContent
	Once      Repeatable
	DeliverAt *models.Instant // nil or past: at once
	Delay     time.Duration   // where DeliverAt is nil: from now, by the database's clock
}

// Publish puts a notice into the inboxes and onto the streams of those it is for, and returns when it
// is durable. A plain user may write to a few users; groups and everyone are for keys and admins.
func (n *Notices) Publish(ctx context.Context, p *Principal, o Outgoing) (out Published, err error) {
	ctx, span := startPublish(ctx, p, 1)
	defer func() { endPublish(span, err) }()
	now, err := n.clockFor(ctx, o)
	if err != nil {
		return Published{}, err
	}
	checked, done, err := n.draft(ctx, p, o, now)
	switch {
	case err != nil:
		return Published{}, err
	case done != nil:
		return *done, nil
	}
	receipts, err := n.append(ctx, []draft{checked})
	switch {
	case err != nil:
		return Published{}, err
	case receipts[0].Reused():
		return Published{}, errOnceReused
	}
	return n.answer(ctx, &checked, receipts[0].Offset, receipts[0].Replayed)
}

// MaxBatch is how many notices one request may publish.
const MaxBatch = 1000

// PublishAll publishes several, in their order, and tells of each what became of it. What is wrong with one does not
// keep another back. An error means that the outcome of all is unknown or none.
func (n *Notices) PublishAll(ctx context.Context, p *Principal, batch []Outgoing) (all []Published, refusals []error, err error) {
	ctx, span := startPublish(ctx, p, len(batch))
	defer func() { endPublish(span, err) }()
	published, refused := make([]Published, len(batch)), make([]error, len(batch))
	waiting := make([]int, 0, len(batch))
	drafts := make([]draft, len(batch))
	now, err := n.clockFor(ctx, batch...)
	if err == nil {
		err = n.db.nameBrief(ctx, batch)
	}
	if err != nil {
		return nil, nil, err
	}
	for i, o := range batch {
		checked, done, err := n.draft(ctx, p, o, now)
		if drafts[i], refused[i] = checked, err; done != nil {
			published[i] = *done
		} else if err == nil {
			waiting = append(waiting, i)
		}
		if err != nil && IsPassing(err) {
			return nil, nil, err
		}
	}
	for len(waiting) > 0 {
		first, later := withoutRepeats(drafts, waiting)
		receipts, err := n.append(ctx, pick(drafts, first))
		if err != nil {
			return nil, nil, err
		}
		for k, i := range first {
			if receipts[k].Reused() {
				refused[i] = errOnceReused
				continue
			}
			if published[i], err = n.answer(ctx, &drafts[i], receipts[k].Offset, receipts[k].Replayed); err != nil {
				return nil, nil, err
			}
		}
		waiting = later
	}
	return published, refused, nil
}

// Repeats refuses a request one of whose keys was used for another. once says of them all but the key.
func (n *Notices) Repeats(ctx context.Context, once Repeatable, keys []string) error {
	for some := range slices.Chunk(keys, nameChunk) {
		var others int64
		err := n.db.Read.WithContext(ctx).Raw("SELECT count(*) FROM idempotency_keys WHERE principal = ? AND key IN ? AND digest <> ? AND created_at > "+n.db.now()+" - ?",
			once.Principal, some, once.Digest, journal.OnceWindow.Milliseconds()).Scan(&others).Error
		if err == nil && others > 0 {
			err = errOnceReused
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutRepeats puts off the second use of a key: it is answered with what the first has made.
func withoutRepeats(drafts []draft, waiting []int) (first, later []int) {
	used := map[string]bool{}
	for _, i := range waiting {
		once := drafts[i].Once
		if once != nil && used[once.Key] {
			later = append(later, i)
			continue
		}
		if once != nil {
			used[once.Key] = true
		}
		first = append(first, i)
	}
	return first, later
}

func pick(drafts []draft, which []int) []draft {
	picked := make([]draft, len(which))
	for k, i := range which {
		picked[k] = drafts[i]
	}
	return picked
}

func (n *Notices) published(offset int64, replayed bool) Published {
	return Published{ID: offset, Cursor: n.journal.Position(offset).String(), Replayed: replayed}
}

// draft checks a notice and makes the log's entry of it. What the request depended on may have changed since it was
// answered, but not its answer: the same request again is told what it made then.
func (n *Notices) draft(ctx context.Context, p *Principal, o Outgoing, now models.Instant) (checked draft, done *Published, err error) {
	o.settle(now)
	if checked, err = n.fresh(ctx, p, o, now); err == nil || o.Once.Key == "" {
		return checked, nil, err
	}
	id, fault := n.db.madeBy(ctx, o.Once)
	if fault != nil || id == 0 {
		return draft{}, nil, err
	}
	made, fault := n.answer(ctx, &draft{timed: o.DeliverAt != nil}, id, true)
	if fault != nil {
		return draft{}, nil, fault
	}
	return draft{}, &made, nil
}

func (n *Notices) fresh(ctx context.Context, p *Principal, o Outgoing, now models.Instant) (draft, error) {
	if err := mayAddress(p, o.To); err != nil {
		return draft{}, err
	}
	c := o.Content
	if c.Category == nil && p.Key != nil && p.Key.Category != "" {
		c.Category = &p.Key.Category
	}
	if err := refuse(append(contentFaults(&c, o.To), o.timeFaults(now)...)); err != nil {
		return draft{}, err
	}
	audiences, err := n.audiences(ctx, o.To)
	if err != nil {
		return draft{}, err
	}
	c.Sender = p.sender()
	payload, err := json.Marshal(c)
	if err != nil {
		return draft{}, models.InvalidField("data", "Not JSON.")
	}
	d := draft{Draft: journal.Draft{Kind: kindNotice, Actor: p.Actor(), Audiences: audiences, Payload: payload}, timed: o.DeliverAt != nil}
	if o.waits(now) {
		d.deliverAt = *o.DeliverAt
	}
	if c.Category != nil {
		d.Topic = *c.Category
	}
	if c.CollapseKey != nil {
		d.CollapseKey = *c.CollapseKey
	}
	if c.ExpiresAt != nil {
		d.ExpiresAt = int64(*c.ExpiresAt)
	}
	if o.Once.Key != "" {
		d.Once = &journal.Once{Principal: o.Once.Principal, Key: o.Once.Key, Digest: o.Once.Digest}
	}
	return d, nil
}

func mayAddress(p *Principal, to Target) error {
	if p.Key != nil || p.IsAdmin() {
		return nil
	}
	if to.Everyone || len(to.Groups) > 0 || len(to.Users) > models.MaxUserTargets {
		return models.Errorf(models.CodeForbidden, "You may write to at most %d users at once, and not to groups or everyone.", models.MaxUserTargets)
	}
	return nil
}

func (n *Notices) audiences(ctx context.Context, to Target) ([]string, error) {
	var audiences []string
	if to.Everyone {
		audiences = append(audiences, everyone)
	}
	users, err := n.directory.userIDs(ctx, to.Users)
	if err != nil {
		return nil, err
	}
	groups, err := n.directory.groupIDs(ctx, to.Groups)
	for _, id := range users {
		audiences = append(audiences, userAudience(id))
	}
	for _, id := range groups {
		audiences = append(audiences, groupAudience(id))
	}
	return audiences, err
}

// NoticeView is a notice as one person sees it.
type NoticeView struct {
	ID     int64  `json:"id"`
	Cursor string `json:"cursor"`
	models.NoticeContent
	CreatedAt    models.Instant  `json:"created_at" format:"date-time"`
	ReadAt       *models.Instant `json:"read_at" format:"date-time"`
	ArchivedAt   *models.Instant `json:"archived_at" format:"date-time"`
	SnoozedUntil *models.Instant `json:"snoozed_until" format:"date-time"`
}

// noticeRow is an entry joined with what one person did with it.
type noticeRow struct {
	LogOffset  int64
	Subject    int64
	Payload    string
	CreatedAt  models.Instant
	ReadAt     *models.Instant
	ArchivedAt *models.Instant

	SnoozedUntil *models.Instant
	Snoozed      bool // that is yet to come
	Fits         bool // of a candidate: it is what was asked for
}

func (r *noticeRow) view(epoch string) (NoticeView, error) {
	v := NoticeView{ID: r.Subject, Cursor: journal.Position{Epoch: epoch, Offset: r.LogOffset}.String(),
		CreatedAt: r.CreatedAt, ReadAt: r.ReadAt, ArchivedAt: r.ArchivedAt}
	if r.Snoozed {
		v.SnoozedUntil = r.SnoozedUntil
	}
	return v, json.Unmarshal([]byte(r.Payload), &v.NoticeContent)
}

// noticeFrame is the data of a notice event: the published content with its names around it. It is
// put together from the stored bytes, for decoding and encoding them again would cost more than all
// the rest of a delivery.
func noticeFrame(e *journal.Entry, position string) []byte {
	b := make([]byte, 0, len(e.Payload)+200)
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, e.Subject, 10)
	b = append(b, `,"cursor":"`...)
	b = append(b, position...)
	b = append(b, `",`...)
	b = append(b, e.Payload[1:len(e.Payload)-1]...)
	b = append(b, `,"created_at":"`...)
	b = append(b, models.Instant(e.CreatedAt).String()...)
	return append(b, `","read_at":null,"archived_at":null,"snoozed_until":null}`...)
}

// Get gives one notice of the user's; another's is not there.
func (n *Notices) Get(ctx context.Context, user *models.User, id int64) (*NoticeView, error) {
	rows, err := n.byID(n.db.Write.WithContext(ctx), user, whereNotice, id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, models.ErrNotFound
	}
	view, err := rows[0].view(n.journal.Epoch())
	return &view, err
}
