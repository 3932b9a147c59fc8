package faults_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"belfry/bench/server"
)

// bus is a NATS server that can be stopped and started.
type bus struct {
	address string
	running *natsserver.Server
}

func newBus(t testing.TB) *bus {
	t.Helper()
	b := &bus{address: server.FreeAddress(t)}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stop)
	return b
}

func (b *bus) start() error {
	host, text, _ := net.SplitHostPort(b.address)
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	if b.running, err = natsserver.NewServer(&natsserver.Options{Host: host, Port: port, NoSigs: true, NoLog: true}); err != nil {
		return err
	}
	b.running.Start()
	if !b.running.ReadyForConnections(patience) {
		return errors.New("NATS is not ready")
	}
	return nil
}

func (b *bus) stop() {
	b.running.Shutdown()
	b.running.WaitForShutdown()
}

// busFaults break what carries hints, and entries with them, between nodes that announce by NATS.
var busFaults = []fault{
	{name: "NATS restarted", uses: "bus", hold: span(200*time.Millisecond, 3*time.Second), strike: stopBus, within: pollFloor + slack},
	{name: "NATS black-holed", uses: "listen", each: true, hold: span(2*time.Second, 9*time.Second), strike: holeListener, within: pollFloor + slack},
	{name: "NATS hints late", uses: "listen", each: true, hold: span(2*time.Second, 4*time.Second), strike: delayHints, within: pollFloor + slack},
	{name: "NATS hints doubled and forged", uses: "bus", hold: span(time.Second, 4*time.Second), strike: meddle, within: slack},
}

// alsoOverNATS are the faults of the table that strike the nodes and the database under NATS as well.
var alsoOverNATS = []string{"kill -9 of a node", "SIGSTOP of a node", "PostgreSQL killed", "reply to COMMIT lost"}

func stopBus(w *world, _ int) (func() error, error) {
	w.bus.stop()
	return w.bus.start, nil
}

// meddle says again what nodes said: twice, late, in another order, and with a byte changed.
func meddle(w *world, _ int) (func() error, error) {
	conn, err := nats.Connect("nats://"+w.bus.address, nats.NoEcho())
	if err != nil {
		return nil, err
	}
	heard := make(chan *nats.Msg, 1<<10)
	if _, err := conn.ChanSubscribe("belfry.>", heard); err != nil {
		return nil, err
	}
	var meddling sync.WaitGroup
	meddling.Go(func() {
		var kept []*nats.Msg
		for m := range heard {
			if kept = append(kept, m); len(kept) < 5 {
				continue
			}
			rand.Shuffle(len(kept), func(i, k int) { kept[i], kept[k] = kept[k], kept[i] })
			for _, old := range kept {
				bent := append([]byte(nil), old.Data...)
				bent[len(bent)/2] ^= 1
				for _, message := range [][]byte{old.Data, bent, old.Data, []byte(fmt.Sprint(len(bent)))} {
					_ = conn.Publish(old.Subject, message) // the bus may be away
				}
			}
			kept = kept[2:]
		}
	})
	return func() error {
		conn.Close() // and with it the subscription
		close(heard)
		meddling.Wait()
		return nil
	}, nil
}
