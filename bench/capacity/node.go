package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/generator"
	"belfry/bench/server"
)

// node is a node with streams, and the generator that has their other ends.
type node struct {
	t       testing.TB
	ctx     context.Context
	site    *crowd.Site
	loop    *generator.Loop
	open    []*generator.Stream
	request crowd.Request // of one notice
	batch   crowd.Request
}

// together is the audience that is everybody; each one's own follow.
const together = 0

func own(stream int) (audience int) { return 1 + stream }

func address(b []byte, audience int) []byte {
	if audience == together {
		return crowd.ToGroup(b, audience)
	}
	return crowd.ToPeople(b, audience-1)
}

// newNode has the calling goroutine serve the generator from now on. There may come to be as many streams as people.
func newNode(t testing.TB, site *crowd.Site) (*node, error) {
	n := &node{t: t, ctx: t.Context(), site: site}
	n.request, n.batch = site.Notices(address)
	return n, n.begin()
}

// begin begins with no stream.
func (n *node) begin() (err error) {
	if n.loop, err = generator.New(n.ctx, n.site.Node.Address()); err != nil {
		return err
	}
	n.open = nil
	n.loop.ComeBack = time.Second // a node that is overrun sends streams away for a while
	n.loop.Sources = sources(len(n.site.Cookies))
	n.loop.Audiences(own(len(n.site.Cookies)))
	return nil
}

// perSource is how many connections come from one address at most: fewer than Linux has ports for them.
const perSource = 20_000

// sources are addresses of this machine that have enough ports together: of 127.0.0.0/8 all are.
func sources(streams int) (all []netip.Addr) {
	for i := 0; i*perSource < streams; i++ {
		all = append(all, netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i)}))
	}
	return all
}

// hold has so many streams open: more than before, or, where there were more or something was refused, all anew.
func (n *node) hold(streams int) error {
	if len(n.open) > streams || n.loop.Faults() != nil {
		n.loop.Close()
		if err := n.begin(); err != nil {
			return err
		}
	}
	for i := len(n.open); i < streams; i++ {
		s := &generator.Stream{Number: i, Begins: "lock", Head: func(b, lastID []byte) []byte { return n.site.Stream(b, i, lastID) }}
		n.open = append(n.open, s)
		n.loop.Open(s, together, own(i))
	}
	return n.loop.Run(fmt.Sprintf("%d streams", streams), patience, n.loop.Begun)
}

// singles are the audiences of one of so many streams each.
func singles(streams int) (to []int) {
	for i := range streams {
		to = append(to, own(i))
	}
	return to
}

// measured is what was seen at one size.
type measured struct {
	size                    int
	taken                   int           // notices
	delivered, acknowledged time.Duration // p99, from when a notice was to be sent
	memory                  float64       // of the node, MiB
	cores                   cores
	evicted, ended, refused int   // streams that were too slow or sent away, and notices
	fault                   error // of a request
}

// measure publishes for a while and says what came of it. An error is what may not be at any size: a notice that is
// lost, doubled, or out of order.
func (n *node) measure(size int, load *generator.Load, warmUp, duration time.Duration) (m measured, err error) {
	before, err := metrics(n.ctx, n.site.Internal)
	if err != nil {
		return m, err
	}
	n.loop.Tally = &generator.Tally{}
	if err := errors.Join(n.loop.Start(load), n.loop.For(warmUp)); err != nil {
		return m, err
	}
	tally := &generator.Tally{Refused: n.loop.Tally.Refused}
	n.loop.Tally = tally
	used, began, ended := n.used(), time.Now(), n.loop.Ended
	if err := n.loop.For(duration); err != nil {
		return m, err
	}
	took := time.Since(began).Seconds()
	m = measured{size: size, cores: n.used().since(used, took)}
	n.loop.Stop()
	settling := n.loop.Run("the last deliveries", patience, n.loop.Settled)
	m.delivered, m.acknowledged = tally.Latency.Share(0.99), tally.Ack.Share(0.99)
	m.taken, m.refused, m.ended, m.fault = tally.Acked, tally.Refused, n.loop.Ended-ended, n.loop.Faults()
	if wrong := tally.Doubled + tally.Foreign + tally.Disorder; wrong > 0 {
		settling = errors.Join(settling, fmt.Errorf("%d doubled, %d foreign, %d out of order", tally.Doubled, tally.Foreign, tally.Disorder))
	}
	after, err := metrics(n.ctx, n.site.Internal)
	m.evicted, m.memory = int(after["belfry_evictions_total"]-before["belfry_evictions_total"]), after["process_resident_memory_bytes"]/mib
	return m, errors.Join(settling, err)
}

// cores is how many were busy, each for all of the time.
type cores struct{ node, database, generator float64 }

// used is CPU time in seconds so far. It leaves out what cannot be read: a process that has ended shows in all else.
func (n *node) used() (u cores) {
	seconds := func(d time.Duration, _ error) float64 { return d.Seconds() }
	u = cores{node: seconds(server.TreeRunTime(n.site.Node.PID())), generator: generator.CPU().Seconds()}
	if n.site.Database != 0 {
		u.database = seconds(server.TreeCPUTime(n.site.Database))
	}
	return u
}

func (u cores) since(before cores, seconds float64) cores {
	return cores{(u.node - before.node) / seconds, (u.database - before.database) / seconds, (u.generator - before.generator) / seconds}
}
