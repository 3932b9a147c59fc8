package main

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/generator"
	"belfry/bench/server"
)

// login is a storm of people who sign in while the streams of others go on: what that does to the notices.
func login(streams int) *scenario {
	return &scenario{name: "login", columns: slices.Concat(loginColumns, accountColumns), run: func(r *run1, c *contestant) map[string]float64 {
		t := r.open(c, shape{streams: streams, together: true, signIn: true})
		defer t.loop.Close()
		t.rollCall()
		notices := func() *generator.Load {
			return &generator.Load{To: t.to, Connections: 4, Rate: r.options.rate, Request: t.site.request}
		}
		usual, quiet := t.forAWhile(notices())
		var took generator.Histogram
		logins := &generator.Load{Connections: r.options.logins, Call: func(b []byte, n int) []byte {
			return t.site.belfry.Call(b, "POST", "/api/v1/login", -1, fmt.Sprintf(`{"username":%q,"password":%q}`, crowd.Person(n%streams), server.Password))
		}, Answered: func(_, _ int, after time.Duration) { took.Add(after) }}
		t.must(t.loop.Start(notices(), logins))
		t.must(t.loop.For(r.options.warmUp))
		took = generator.Histogram{}
		cost, tally := t.count()
		done := took.Count()
		values := cost.since(usual).values(done)
		values["ms"] = values["us"] / 1000
		values["per_s"], values["generator"] = float64(done)/r.options.duration.Seconds(), cost.values(done)["generator"]
		latencies(values, "quiet", &quiet.Latency)
		latencies(values, "latency", &tally.Latency)
		latencies(values, "login", &took)
		t.account(values, c)
		return values
	}}
}

// mix is how long the parts of mixed took.
type mix struct {
	together, single, page, lock, unlock generator.Histogram
	lockTold, unlockTold                 generator.Histogram // from the request to the event on the stream
}

// mixed is a day's work in some seconds: streams that all get notices for a group and single ones, people who read
// their inbox, sessions that lock and unlock.
func mixed(streams int) *scenario {
	return &scenario{name: "mixed", columns: slices.Concat(mixedColumns, accountColumns), run: func(r *run1, c *contestant) map[string]float64 {
		o := r.options
		// Each session locks and unlocks once: its cookie is another one after that.
		sleepers := int(o.locks*(o.warmUp+o.duration).Seconds()) + 2
		s := shape{streams: streams + sleepers, mixed: true, signIn: true}
		t := r.begin(c, s)
		defer t.loop.Close()
		var m mix
		t.openMixed(&m, streams, sleepers)
		locks := t.locking(&m, streams, sleepers)
		pages := &generator.Load{Connections: 8, Rate: o.pages, Call: func(b []byte, n int) []byte {
			return t.site.belfry.Call(b, "GET", "/api/v1/notices", n%streams, "")
		}, Answered: func(_, _ int, after time.Duration) { m.page.Add(after) }}
		t.must(t.loop.Start(&generator.Load{To: t.to, Connections: 4, Rate: o.rate, Request: t.site.request},
			&generator.Load{To: t.singles, Connections: 16, Rate: o.singles, Request: t.site.request}, pages, locks.load))
		t.must(t.loop.For(o.warmUp))
		m = mix{}
		cost, tally := t.count()
		locks.finish(t)
		values := cost.values(tally.Delivered)
		values["per_s"] = float64(tally.Delivered) / o.duration.Seconds()
		latencies(values, "together", &m.together)
		latencies(values, "single", &m.single)
		latencies(values, "ack", &tally.Ack)
		latencies(values, "page", &m.page)
		latencies(values, "lock", &m.lock)
		latencies(values, "lock_told", &m.lockTold)
		latencies(values, "unlock", &m.unlock)
		latencies(values, "unlock_told", &m.unlockTold)
		t.account(values, c)
		return values
	}}
}

// openMixed opens a stream for each person: it gets what is for all together, and what is for that person alone. The
// last ones are those whose sessions are going to lock.
func (t *trial) openMixed(m *mix, streams, sleepers int) {
	t.t.Helper()
	t.to = []int{0}
	for i := range streams + sleepers {
		if i < streams {
			t.singles = append(t.singles, 1+i)
			t.loop.Latency(1+i, &m.single)
		}
		t.loop.Open(&generator.Stream{Number: i, Begins: t.site.begins, Untimed: i >= streams,
			Head: func(b, lastID []byte) []byte { return t.site.head(b, i, lastID) }}, 0, 1+i)
	}
	t.loop.Latency(0, &m.together)
	t.must(t.loop.Run("all streams", patience, t.loop.Begun))
	t.rollCall()
}

// locking is sessions that lock and unlock, one after the other.
type locking struct {
	load   *generator.Load
	locked int // the session that is locked now; -1 = none
	unlock func(b []byte, session int) []byte
}

// locking has the sessions from the first one on lock and unlock. What is withheld meanwhile has to come after it.
func (t *trial) locking(m *mix, first, sleepers int) *locking {
	l := &locking{locked: -1}
	l.unlock = func(b []byte, session int) []byte {
		return t.site.belfry.Call(b, "POST", "/api/v1/session/unlock", session, fmt.Sprintf(`{"password":%q}`, server.Password))
	}
	var asked int64
	l.load = &generator.Load{Connections: 1, Rate: 2 * t.options.locks, Count: 2 * sleepers, Call: func(b []byte, n int) []byte {
		asked = time.Now().UnixNano()
		if n%2 == 1 {
			return l.unlock(b, first+n/2)
		}
		l.locked = first + n/2
		return t.site.belfry.Call(b, "POST", "/api/v1/session/lock", l.locked, "{}")
	}, Answered: func(n, _ int, after time.Duration) {
		if n%2 == 1 {
			l.locked = -1
			m.unlock.Add(after)
		} else {
			m.lock.Add(after)
		}
	}}
	t.loop.OnEvent = func(s *generator.Stream, e *generator.Event, now int64) {
		if asked == 0 || s.Number < first || string(e.Name) != "lock" {
			return
		}
		if bytes.Contains(e.Data, []byte(`"state":"locked"`)) {
			m.lockTold.Add(time.Duration(now - asked))
		} else {
			m.unlockTold.Add(time.Duration(now - asked))
		}
	}
	return l
}

// finish unlocks what is still locked: what its stream is owed would not come.
func (l *locking) finish(t *trial) {
	t.t.Helper()
	t.must(t.loop.Run("the last answers", patience, t.loop.Answered))
	if l.locked < 0 {
		return
	}
	t.must(t.loop.Start(&generator.Load{Connections: 1, Count: 1, Call: func(b []byte, _ int) []byte { return l.unlock(b, l.locked) },
		Answered: func(int, int, time.Duration) {}}))
	t.must(t.loop.Run("the last unlock", patience, t.loop.Published))
	t.loop.Stop()
}
