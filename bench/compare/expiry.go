package main

import (
	"bytes"
	"slices"
	"time"

	"belfry/bench/generator"
	"belfry/models"
)

const (
	// idleTime is after how long a session of expiry locks: what the server does unasked.
	idleTime = 15 * time.Minute
	// clockStep is what the database's clock, which decides, is rounded to.
	clockStep = time.Millisecond
	// longestLead is how many times the lead may grow to on a machine that is busy with other things.
	longestLead = 64
)

// expiry is sessions that all lock within a second, each with a stream that is told: how late.
func expiry(sessions int) *scenario {
	return &scenario{name: "expiry", columns: slices.Concat(expiryColumns, accountColumns[3:]), run: func(r *run1, c *contestant) map[string]float64 {
		for lead := r.options.lead; ; lead *= 2 {
			if values := r.expire(c, sessions, lead); values != nil {
				return values
			}
			if lead >= longestLead*r.options.lead {
				r.t.Fatal("it is too slow")
			}
		}
	}}
}

// expire has the sessions lock within the second that begins in so long a time. It gives nothing when not all streams
// were open by then.
func (r *run1) expire(c *contestant, sessions int, lead time.Duration) map[string]float64 {
	r.t.Helper()
	begins := time.Now().Add(lead)
	due := func(i int) time.Time {
		return models.InstantOf(begins.Add(time.Second * time.Duration(i) / time.Duration(sessions))).Time()
	}
	s := shape{streams: sessions, settings: []string{"SESSION_IDLE=" + idleTime.String()},
		lastSeen: func(i int) time.Time { return due(i).Add(-idleTime) }}
	t := r.begin(c, s)
	defer t.loop.Close()
	var late generator.Histogram
	early, told := 0, map[*generator.Stream]bool{}
	t.loop.OnEvent = func(stream *generator.Stream, e *generator.Event, now int64) {
		if string(e.Name) != "lock" || !bytes.Contains(e.Data, []byte(`"state":"locked"`)) || told[stream] {
			return
		}
		told[stream] = true
		after := time.Duration(now - due(stream.Number).UnixNano())
		late.Add(after)
		if after < -clockStep {
			early++
		}
	}
	t.openAll(s)
	if len(told) > 0 || time.Now().After(begins) {
		r.t.Logf("%d streams were not open within %v, before the first session was to lock", sessions, lead)
		t.site.belfry.Node.Kill()
		return nil
	}
	before := t.used()
	err := t.loop.Run("every session to lock", time.Until(begins)+patience/2, func() bool { return len(told) == sessions })
	if err != nil {
		r.t.Error(err)
	}
	values := t.used().since(before).values(sessions)
	latencies(values, "late", &late)
	values["early"], values["missing"] = float64(early), float64(sessions-len(told))
	values["rss_end"] = float64(t.memory().Resident)
	if early > 0 {
		r.t.Errorf("%d sessions locked early", early)
	}
	t.sound(c)
	return values
}
