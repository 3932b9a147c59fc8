package models_test

import (
	"testing"
	"time"

	"belfry/models"
)

// Security: S6, S7
func TestJudge(t *testing.T) {
	t.Parallel()
	limits := models.SessionLimits{Idle: 10 * time.Minute, Max: time.Hour, Warning: time.Minute}
	manual := models.ReasonManual
	const now = models.Instant(10_000_000_000)
	ms := func(d time.Duration) models.Instant { return models.Instant(d.Milliseconds()) }
	for _, c := range []struct {
		name      string
		state     models.SessionState
		reason    *models.Reason
		idle, age time.Duration
		want      models.Verdict
	}{
		{"fresh", models.SessionActive, nil, 0, 0, models.Verdict{State: models.SessionActive, IdleRemaining: 10 * time.Minute, MaxRemaining: time.Hour}},
		{"used for a while", models.SessionActive, nil, 4 * time.Minute, 20 * time.Minute,
			models.Verdict{State: models.SessionActive, IdleRemaining: 6 * time.Minute, MaxRemaining: 40 * time.Minute}},
		{"a millisecond before the lock", models.SessionActive, nil, 10*time.Minute - time.Millisecond, 20 * time.Minute,
			models.Verdict{State: models.SessionActive, IdleRemaining: time.Millisecond, MaxRemaining: 40 * time.Minute}},
		{"idle", models.SessionActive, nil, 10 * time.Minute, 20 * time.Minute,
			models.Verdict{State: models.SessionLocked, Reason: models.ReasonIdle, MaxRemaining: 40 * time.Minute}},
		{"long idle", models.SessionActive, nil, 30 * time.Minute, 40 * time.Minute,
			models.Verdict{State: models.SessionLocked, Reason: models.ReasonIdle, MaxRemaining: 20 * time.Minute}},
		{"a millisecond before the end", models.SessionActive, nil, 0, time.Hour - time.Millisecond,
			models.Verdict{State: models.SessionActive, IdleRemaining: 10 * time.Minute, MaxRemaining: time.Millisecond}},
		{"as old as it may be", models.SessionActive, nil, 0, time.Hour, models.Verdict{State: models.SessionEnded, Reason: models.ReasonMaxAge}},
		{"both have passed: the end wins", models.SessionActive, nil, 30 * time.Minute, 2 * time.Hour, models.Verdict{State: models.SessionEnded, Reason: models.ReasonMaxAge}},
		{"locked", models.SessionLocked, &manual, time.Minute, 20 * time.Minute,
			models.Verdict{State: models.SessionLocked, Reason: models.ReasonManual, MaxRemaining: 40 * time.Minute}},
		{"locked keeps its reason when idle too", models.SessionLocked, &manual, 30 * time.Minute, 40 * time.Minute,
			models.Verdict{State: models.SessionLocked, Reason: models.ReasonManual, MaxRemaining: 20 * time.Minute}},
		{"locked and too old", models.SessionLocked, &manual, 0, time.Hour, models.Verdict{State: models.SessionEnded, Reason: models.ReasonMaxAge}},
		{"ended", models.SessionEnded, &manual, 0, time.Minute, models.Verdict{State: models.SessionEnded, Reason: models.ReasonManual}},
		{"ended keeps its reason for ever", models.SessionEnded, &manual, 0, 20 * time.Hour, models.Verdict{State: models.SessionEnded, Reason: models.ReasonManual}},
	} {
		s := models.Session{State: c.state, Reason: c.reason, LastActiveAt: now - ms(c.idle), CreatedAt: now - ms(c.age)}
		if got := s.Judge(limits, now); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestEffectiveWarning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ idle, warning, want time.Duration }{
		{15 * time.Minute, time.Minute, time.Minute},
		{90 * time.Second, time.Minute, 45 * time.Second},
		{time.Second, time.Minute, 500 * time.Millisecond},
	} {
		if got := (models.SessionLimits{Idle: c.idle, Warning: c.warning}).EffectiveWarning(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
