package models_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"belfry/models"
)

// drawnSession is any session, at any distance from its deadlines and often right at one.
func drawnSession(t *rapid.T, limits models.SessionLimits, now models.Instant) models.Session {
	since := func(limit time.Duration, label string) models.Instant {
		near := rapid.Int64Range(-2, 2).Draw(t, label+" from its deadline, ms")
		somewhere := rapid.Int64Range(0, 2*limit.Milliseconds()).Draw(t, label+", ms")
		return now - models.Instant(rapid.SampledFrom([]int64{somewhere, max(0, limit.Milliseconds()+near)}).Draw(t, label))
	}
	s := models.Session{LastActiveAt: since(limits.Idle, "idle"), CreatedAt: since(limits.Max, "age")}
	s.State = rapid.SampledFrom([]models.SessionState{models.SessionActive, models.SessionLocked, models.SessionEnded}).Draw(t, "state")
	if s.State != models.SessionActive {
		reason := rapid.SampledFrom([]models.Reason{models.ReasonManual, models.ReasonAdmin, models.ReasonIdle}).Draw(t, "reason")
		s.Reason = &reason
	}
	return s
}

// stored is the session after somebody looked and wrote the verdict down.
func stored(s models.Session, v models.Verdict) models.Session {
	s.State, s.Reason = v.State, nil
	if v.Reason != "" {
		s.Reason = &v.Reason
	}
	return s
}

var severity = map[models.SessionState]int{models.SessionActive: 0, models.SessionLocked: 1, models.SessionEnded: 2}

// TestVerdictsDoNotDependOnWhoLooksWhen: nodes look at a session at moments of their own. Whether one of
// them wrote the verdict down in between must not show later, and time alone never opens a session.
//
// Security: L11
func TestVerdictsDoNotDependOnWhoLooksWhen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limits := models.SessionLimits{
			Idle: time.Duration(rapid.Int64Range(1_000, 3_600_000).Draw(t, "idle limit, ms")) * time.Millisecond,
			Max:  time.Duration(rapid.Int64Range(1_000, 86_400_000).Draw(t, "longest age, ms")) * time.Millisecond,
		}
		const first = models.Instant(1_000_000_000_000)
		second := first + models.Instant(rapid.Int64Range(0, 2*limits.Max.Milliseconds()).Draw(t, "until the second look, ms"))
		s := drawnSession(t, limits, first)
		early := s.Judge(limits, first)
		direct := s.Judge(limits, second)
		between := stored(s, early)
		if again := between.Judge(limits, first); again != early {
			t.Fatalf("%+v, written down and looked at in the same moment: %+v", early, again)
		}
		if after := between.Judge(limits, second); after != direct {
			t.Fatalf("%+v where somebody looked in between, %+v where nobody did", after, direct)
		}
		if severity[direct.State] < severity[early.State] {
			t.Fatalf("time alone made %s of %s", direct.State, early.State)
		}
		if direct.State == early.State && direct.Reason != early.Reason {
			t.Fatalf("still %s, but the reason went from %q to %q", early.State, early.Reason, direct.Reason)
		}
		if open := direct.State == models.SessionActive; open != (direct.IdleRemaining > 0) || open && direct.MaxRemaining <= 0 {
			t.Fatalf("a state that its own figures deny: %+v", direct)
		}
		if direct.State == models.SessionEnded && direct.MaxRemaining != 0 {
			t.Fatalf("ended, with time left: %+v", direct)
		}
	})
}
