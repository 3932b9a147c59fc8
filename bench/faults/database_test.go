package faults_test

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

// pauseAlone is all that may be said to who opens a stream and cannot be served.
var pauseAlone = regexp.MustCompile(`^event: pause\nretry: \d{4,5}\ndata: \d{13}\n\n$`)

// TestDatabaseGoesAway stops and kills PostgreSQL under load. Belfry is not restarted.
func TestDatabaseGoesAway(t *testing.T) {
	cluster := testpg.NewCluster(t)
	node := server.New(t, cluster.DSN(), "HEARTBEAT=200ms")
	names, key := people(node)
	node.MustStart()
	l := newLoad(t, *steady/4, names, node.ByKey(key))
	l.read(node)
	as := node.Login(t, names[0])
	pid, began := node.PID(), time.Now()
	l.publish()
	var away []time.Duration
	for _, stop := range []func() error{cluster.Stop, cluster.Kill, cluster.Stop} {
		l.awaitAcks(l.rate)
		gone := time.Now()
		l.up.end(l.ackCount.Load())
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		l.whileAway(as)
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		l.awaitAcks(1)
		if waited := time.Since(back); waited > patience/2 {
			t.Errorf("the first ack came %v after the database was back", waited)
		}
		away = append(away, time.Since(gone))
		l.up.begin(l.ackCount.Load())
	}
	l.awaitAcks(l.rate)
	took := time.Since(began)
	b := l.finish()
	l.report("PostgreSQL stopped, killed, stopped", b, took, away)
	if b.faults() > 0 || b.unknown > 0 {
		t.Errorf("the ledger does not balance: %v", b)
	}
	if l.busy == 0 {
		t.Error("nobody was told 503")
	}
	if node.PID() != pid {
		t.Error("Belfry was restarted")
	}
	for _, reader := range l.readers {
		if reader.Connections != 1 || reader.Resets > 0 {
			t.Errorf("a stream that stood was opened %d times and got %d resets", reader.Connections, reader.Resets)
		}
	}
}

// whileAway looks at what a server without its database answers.
func (l *load) whileAway(as *server.Caller) {
	l.t.Helper()
	answer := as.Must(l.t, http.StatusServiceUnavailable, http.MethodGet, "/api/v1/notices", nil, nil)
	if answer.Header.Get("Retry-After") == "" || answer.Header.Get("Content-Type") != "application/problem+json" {
		l.t.Errorf("503 with %v", answer.Header)
	}
	as.Must(l.t, http.StatusServiceUnavailable, http.MethodGet, "/readyz", nil, nil)
	as.Must(l.t, http.StatusOK, http.MethodGet, "/livez", nil, nil)
	pings, busy := l.pings.Load(), l.busyNow()
	l.await("pings on standing streams", func() bool { return l.pings.Load() >= pings+int64(2*len(l.readers)) })
	l.await("publishers told 503", func() bool { return l.busyNow() > busy })
	opened := as.Must(l.t, http.StatusOK, http.MethodGet, "/sse/stream", nil, nil) // whole: it ends at once
	if text := string(opened.Body); !pauseAlone.MatchString(text) {
		l.t.Errorf("a new stream without a database says %q", text)
	}
}
