package services

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLateDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := withLateDeadline(t.Context(), time.Second)
		defer limited.end()
		time.Sleep(time.Minute) // counts for nothing: nobody waits yet
		began := time.Now()
		child, cancel := context.WithTimeout(limited, time.Hour)
		defer cancel()
		<-child.Done()
		if waited := time.Since(began); waited != time.Second || !errors.Is(limited.Err(), context.DeadlineExceeded) {
			t.Errorf("it ended after %v with %v", waited, limited.Err())
		}
	})
}

func TestLateDeadlineEndsWithItsCaller(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	limited := withLateDeadline(parent, time.Hour)
	cancel()
	<-limited.Done()
	if err := limited.Err(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	limited.end()
}

func TestLateDeadlineThatNobodyWaitedFor(t *testing.T) {
	limited := withLateDeadline(t.Context(), time.Hour)
	limited.end()
	if _, set := limited.Deadline(); set || limited.Err() != nil {
		t.Error("it began after its end")
	}
	if n := testing.AllocsPerRun(100, func() { withLateDeadline(t.Context(), time.Hour).end() }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
