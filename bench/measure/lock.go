package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"

	"belfry/bench/server"
)

// lockPatience is how long the other node may serve a session that is locked: many times the poll floor.
const lockPatience = 10 * time.Second

// locking measures how long after a session was locked or ended on one node another node refuses it.
type locking struct {
	tries, sessions int
	announcers      string
	settings        settings

	site *site
}

func (m *locking) Flags(set *flag.FlagSet) {
	set.IntVar(&m.tries, "tries", 1000, "times to lock, and times to end")
	set.IntVar(&m.sessions, "sessions", 50, "sessions that are signed in ahead of the tries, for a password takes longer than a lock")
	set.StringVar(&m.announcers, "announcer", "postgres,nats,none", "how the nodes tell each other, one after the other: postgres, nats, or none with LISTEN cut")
	m.settings.flag(set)
}

func (m *locking) Run(t testing.TB, out io.Writer) {
	m.site = newSite(t)
	rows := []string{"announcer\tfrom → to\ttries\tp50 ms\tp99 ms\tmax ms\tanswered meanwhile\t"}
	for _, name := range strings.Split(m.announcers, ",") {
		announced := m.announcer(t, name)
		for range 2 {
			m.site.addNode(append(announced, m.settings...)...)
		}
		if len(m.site.people) == 0 {
			m.site.addPeople(m.sessions)
			fmt.Fprintf(out, "lock: %d tries; %s\n", m.tries, m.site.describe())
		}
		atOnce := 1
		if name == "none" {
			atOnce = 10 // each waits for a poll
		}
		for _, end := range []ending{lockSession, endSession} {
			if t.Failed() {
				break // what comes after would only wait for the same again
			}
			rows = append(rows, name+"\t"+m.try(t, end, atOnce))
		}
		m.site.removeNodes()
	}
	table(out, rows...)
}

// announcer gives the settings that make nodes announce so.
func (m *locking) announcer(t testing.TB, name string) []string {
	switch name {
	case "postgres":
		return nil
	case "none":
		return []string{"DATABASE_LISTEN_URL=postgres://postgres@" + server.FreeAddress(t) + "/belfry?sslmode=disable"}
	case "nats":
		return []string{"NATS_URL=" + startNATS(t)}
	}
	t.Fatalf("no announcer %q: there are postgres, nats and none", name)
	return nil
}

func startNATS(t testing.TB) (url string) {
	nats, err := natsd.NewServer(&natsd.Options{Host: "127.0.0.1", Port: natsd.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(func() {
		nats.Shutdown()
		nats.WaitForShutdown()
	})
	if !nats.ReadyForConnections(patience) {
		t.Fatal("the NATS server is not ready")
	}
	return nats.ClientURL()
}

// ending is a way in which a session ceases to be good.
type ending struct {
	what    string
	request func(s *site, name, cookie string) string // to the one node
	done    int                                       // its status
	refused int                                       // the other node's status from then on
}

var (
	lockSession = ending{"lock → 423", func(s *site, _, cookie string) string {
		return request(s, 0, "POST /api/v1/session/lock", "Cookie: "+cookie)
	}, http.StatusOK, http.StatusLocked}
	endSession = ending{"end → 401", func(s *site, name, _ string) string {
		return request(s, 0, "DELETE /api/v1/users/"+name+"/sessions", "Authorization: Bearer "+s.secret)
	}, http.StatusNoContent, http.StatusUnauthorized}
)

func request(s *site, node int, what, credential string) string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Length: 0\r\n\r\n", what, s.nodes[node].Address(), credential)
}

// try does it again and again and gives the row of the table.
func (m *locking) try(t testing.TB, end ending, atOnce int) string {
	t.Helper()
	var took []time.Duration
	meanwhile := 0
	for len(took) < m.tries && t.Context().Err() == nil {
		people := m.site.people[:min(m.tries-len(took), len(m.site.people))]
		cookies := m.signIn(t, people)
		var mu sync.Mutex
		var trying sync.WaitGroup
		slots := make(chan struct{}, atOnce)
		for i, name := range people {
			slots <- struct{}{}
			trying.Go(func() {
				defer func() { <-slots }()
				lag, answered, err := m.tryOne(t.Context(), end, name, cookies[i], time.Duration(atOnce-1)*time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				took = append(took, lag)
				meanwhile += answered
				if err != nil {
					t.Error(err)
				}
			})
		}
		trying.Wait()
		if t.Failed() {
			break
		}
	}
	slices.Sort(took)
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%d\t", end.what, len(took), ms(share(took, 0.5)), ms(share(took, 0.99)), ms(share(took, 1)), meanwhile)
}

// signIn ends what sessions the people have and gives each a new one.
func (m *locking) signIn(t testing.TB, people []string) (cookies []string) {
	t.Helper()
	key := m.site.nodes[0].ByKey(m.site.secret)
	for _, name := range people {
		key.Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/users/"+name+"/sessions", nil, nil)
		cookies = append(cookies, m.site.nodes[0].Login(t, name).Cookie)
	}
	return cookies
}

// tryOne ends a session on the first node and asks the second one until it refuses. lag is the time between the
// first one's answer and that refusal, one request of ours included; answered is how many requests were served in it.
func (m *locking) tryOne(ctx context.Context, end ending, name, cookie string, pause time.Duration) (lag time.Duration, answered int, err error) {
	a, err := dialWire(m.site.nodes[0].Address())
	if err != nil {
		return 0, 0, err
	}
	defer a.close()
	b, err := dialWire(m.site.nodes[1].Address())
	if err != nil {
		return 0, 0, err
	}
	defer b.close()
	ask := []byte(request(m.site, 1, "GET /api/v1/notices?limit=1", "Cookie: "+cookie))
	if status, body, err := b.do(ask); err != nil || status != http.StatusOK {
		return 0, 0, errors.Join(err, fmt.Errorf("before: %d %s", status, body))
	}
	if status, body, err := a.do([]byte(end.request(m.site, name, cookie))); err != nil || status != end.done {
		return 0, 0, errors.Join(err, fmt.Errorf("%s: %d %s", end.what, status, body))
	}
	for began := time.Now(); ; answered++ {
		status, body, err := b.do(ask)
		lag = time.Since(began)
		switch {
		case err != nil:
			return lag, answered, err
		case status == end.refused:
			return lag, answered, nil
		case status != http.StatusOK || lag > lockPatience:
			return lag, answered, fmt.Errorf("%s: the other node says %d %s after %v", end.what, status, body, lag)
		}
		if !await(ctx, time.Now().Add(pause)) {
			return lag, answered, ctx.Err()
		}
	}
}
