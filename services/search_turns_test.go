package services

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestSearchesLeaveConnections: however many search at once, nobody else waits for a connection to the database.
func TestSearchesLeaveConnections(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, bob := n.person(t, "ann"), n.person(t, "bob")
		n.emptyLog(t)
		n.fill(t, 20*firstStep, func(int) (string, string, string) { return everyone, "", "common" })
		read := got(n.db.Read.DB())(t)
		before := read.Stats().WaitCount
		atOnce(4*postgresConns, func(i int) {
			user := ann
			if i%2 == 0 {
				user = bob
			}
			_, err := n.notices.List(t.Context(), user, Listing{State: "archived", Text: "common", Limit: 50})
			if err != nil {
				t.Error(err)
			}
		})
		if waited := read.Stats().WaitCount - before; waited > 0 {
			t.Errorf("a connection was waited for %d times", waited)
		}
		if n.notices.searching.of[ann.ID] != nil || len(n.notices.searching.all) > 0 {
			t.Error("a turn is left")
		}
	})
}

// TestTurns: one person has one turn at a time, who stops waiting keeps none, and others go on meanwhile.
func TestTurns(t *testing.T) {
	turns := newTurns(2)
	first := got(turns.take(t.Context(), 1))(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.take(gone, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a second turn of the same person: %v", err)
	}
	second := got(turns.take(t.Context(), 2))(t)
	if _, err := turns.take(gone, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("a third turn of two: %v", err)
	}
	// Who waits behind one that gives up is next.
	giving, giveUp := context.WithCancel(t.Context())
	left, next := make(chan error), make(chan func(), 1)
	waiting := func(users int) func() bool {
		return func() bool {
			turns.mu.Lock()
			defer turns.mu.Unlock()
			own := turns.of[3]
			return own != nil && own.users == users && len(own.taken) == 1
		}
	}
	go func() { _, err := turns.take(giving, 3); left <- err }()
	eventually(t, "one waits", waiting(1))
	go func() { done, _ := turns.take(t.Context(), 3); next <- done }()
	eventually(t, "another behind", waiting(2))
	giveUp()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("a turn that was given up: %v", err)
	}
	first()
	var third func()
	select {
	case third = <-next:
	case <-time.After(patience):
		t.Fatal("who waited behind one that gave up waits for ever")
	}
	second()
	third()
	if len(turns.of) > 0 || len(turns.all) > 0 {
		t.Errorf("%d people and %d turns are left", len(turns.of), len(turns.all))
	}
}
