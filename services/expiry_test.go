package services

import (
	"encoding/json"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

func TestExpiredIsToldOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		soon := titled("soon")
		soon.ExpiresAt = new(models.InstantOf(time.Now().Add(time.Hour)))
		own := n.publish(t, system, Target{Users: []string{"ann"}}, soon)
		all := n.publish(t, system, Target{Everyone: true}, soon)
		gone := n.publish(t, system, Target{Users: []string{"ann"}}, soon)
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("kept"))
		n.run(t, "UPDATE entries SET withdrawn_at = 1 WHERE log_offset = ?", gone.ID)
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		must(t, n.notices.Expire(t.Context())) // it is not yet time
		n.run(t, "UPDATE entries SET expires_at = 1 WHERE expires_at IS NOT NULL")
		for range 2 {
			must(t, n.notices.Expire(t.Context()))
		}
		for _, want := range []struct {
			id     int64
			unread *int64
		}{{own.ID, new(int64(1))}, {all.ID, nil}} {
			var event StateEvent
			must(t, json.Unmarshal([]byte(s.next(t, "notice_state").data), &event))
			if len(event.IDs) != 1 || event.IDs[0] != want.id || event.State != "expired" || (event.Unread == nil) != (want.unread == nil) || (want.unread != nil && *event.Unread != *want.unread) {
				t.Errorf("%+v, want %d", event, want.id)
			}
		}
		s.quiet(t)
		n.inboxIs(t, "after expiry", ann, "kept", 1)
	})
}

// TestExpiryIsToldByOneNode: both find it due.
func TestExpiryIsToldByOneNode(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := newNode(t, address), newNode(t, address)
	a.person(t, "ann")
	system := a.system(t)
	for i := range 3 * expireBatch {
		c := titled("n%d", i)
		c.ExpiresAt = new(models.InstantOf(time.Now().Add(time.Hour)))
		a.publish(t, system, Target{Users: []string{"ann"}}, c)
	}
	a.run(t, "UPDATE entries SET expires_at = 1")
	atOnce(4, func(i int) {
		if err := []*node{a, b}[i%2].notices.Expire(t.Context()); err != nil {
			t.Error(err)
		}
	})
	told := 0
	var payloads []string
	must(t, a.db.Read.Raw("SELECT payload FROM entries WHERE kind = 'notice_state'").Scan(&payloads).Error)
	for _, payload := range payloads {
		var event StateEvent
		must(t, json.Unmarshal([]byte(payload), &event))
		told += len(event.IDs)
	}
	if told != 3*expireBatch {
		t.Errorf("%d notices were told of, want %d", told, 3*expireBatch)
	}
}
