package main

import (
	"database/sql"

	"belfry/bench/crowd"
)

// belfry is Belfry on one of its databases, each of which keeps what it has acknowledged.
type belfry struct{ sqlite bool }

// start starts a fresh database and a node on it, with a user and a session for each stream. Like the others, it does
// not log each request.
func (b *belfry) start(r *run1, s shape) *site {
	t := r.t
	t.Helper()
	started := crowd.Start(t, crowd.Shape{SQLite: b.sqlite, People: s.everybody(), SignIn: s.signIn, Groups: s.groups, LastSeen: s.lastSeen,
		Log: s.log, Rows: s.rows, Counted: s.counted && !b.sqlite, Internal: r.options.profiles != "", Settings: s.settings})
	result := &site{begins: "lock", belfry: started, address: started.Node.Address(), pid: started.Node.PID(), database: started.Database}
	result.head = started.Stream
	result.request, result.batch = started.Notices(s.to)
	return result
}

// to appends whom an audience stands for.
func (s shape) to(b []byte, audience int) []byte {
	switch {
	case s.everyone:
		return append(b, `{"everyone":true}`...)
	case s.together, s.mixed && audience == 0:
		return crowd.ToGroup(b, audience)
	case s.mixed:
		return crowd.ToPeople(b, audience-1)
	}
	return crowd.ToPeople(b, audience)
}

// counting is where the database counts what it is asked, or nil.
func (s *site) counting() *sql.DB {
	if s.belfry == nil {
		return nil
	}
	return s.belfry.Counting
}
