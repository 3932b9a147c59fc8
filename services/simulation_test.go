package services

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"belfry/services/journal"
)

var (
	simSeeds = flag.Int("sim.seeds", 2000, "how many schedules are played")
	simSeed  = flag.Uint64("sim.seed", 0, "plays one schedule and tells what happens; 0 = as many as sim.seeds says")
)

// TestSimulation plays journal, tail, hub, streams and clients that resume against schedules drawn from
// seeds: answers of the database that are slow, lost or not given, hints lost, late, doubled and empty,
// connections cut in mid-frame, nodes stopped, killed and cut off, trims, new epochs, backups taken back. The
// database, the bus and the network are models, the clock is synctest's, everything else is the real code.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		// What happens in the same nanosecond happens in any order, so that one run may miss it.
		for range 50 {
			if !playSeed(t, *simSeed) {
				return
			}
		}
		return
	}
	first := rand.Uint64N(1 << 40)
	var next, failed atomic.Uint64
	began := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for i := next.Add(1); i <= uint64(*simSeeds) && failed.Load() == 0; i = next.Add(1) {
					if !playSeed(t, first+i) {
						failed.Store(i)
					}
				}
			})
		}
	})
	t.Logf("%d seeds from %d on in %v", min(next.Load(), uint64(*simSeeds)), first+1, time.Since(began).Round(time.Millisecond))
	if n := failed.Load(); n != 0 {
		t.Logf("seed number %d failed", n)
	}
}

func playSeed(t *testing.T, seed uint64) (ok bool) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(seed)
		faults := sim.play()
		if ok = len(faults) == 0; !ok {
			t.Errorf("-sim.seed=%d\n%s\n%s", seed, strings.Join(sim.told, "\n"), strings.Join(faults[:min(len(faults), 6)], "\n"))
		}
	})
	return ok
}

// simulation is one run.
type simulation struct {
	world   *simWorld
	nodes   [2]*simNode
	clients []*simClient
	d       *dice
	ctx     context.Context
	running sync.WaitGroup
	began   time.Time
	telling sync.Mutex
	told    []string
	calm    atomic.Bool // everything works again, and nobody begins anything
}

// Of a run. After its length everything works again, and calm is enough for whatever was late.
const (
	simLength = 4 * time.Second
	simCalm   = 6 * time.Second
	simUsers  = 3
)

func newSimulation(seed uint64) *simulation {
	sim := &simulation{d: newDice(seed, 0), began: time.Now()}
	level := func(most int) int { // half of the hazards are not there
		if sim.d.percent(50) {
			return 0
		}
		return sim.d.upTo(most)
	}
	sim.world = newSimWorld(hazards{slow: level(15), failed: level(8), unknown: level(10), holes: level(30),
		lost: level(100), late: level(50), doubled: level(50), bare: level(100), noise: level(100),
		cut: level(90), torn: level(10), swallowed: level(6), stalled: level(20)})
	for i := range sim.nodes {
		sim.nodes[i] = &simNode{id: i, sim: sim, d: newDice(seed, 10+i)}
	}
	for user := 1; user <= simUsers; user++ {
		for device := 1; device <= 2; device++ {
			sim.clients = append(sim.clients, newSimClient(sim, newDice(seed, 100+10*user+device), fmt.Sprintf("%d.%d", user, device), device == 2))
		}
	}
	return sim
}

// tell keeps what happens, where one seed alone is played.
func (sim *simulation) tell(format string, args ...any) {
	if *simSeed == 0 {
		return
	}
	sim.telling.Lock()
	defer sim.telling.Unlock()
	sim.told = append(sim.told, fmt.Sprintf("%11.6f  ", time.Since(sim.began).Seconds())+fmt.Sprintf(format, args...))
}

// after does something later, unless the run is over by then.
func (sim *simulation) after(wait time.Duration, do func()) {
	time.AfterFunc(wait, func() {
		if sim.ctx.Err() == nil {
			do()
		}
	})
}

func (sim *simulation) play() (faults []string) {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	sim.ctx = ctx
	for _, n := range sim.nodes {
		n.run(ctx)
	}
	for _, c := range sim.clients {
		sim.running.Go(func() { c.live(ctx) })
	}
	var busy sync.WaitGroup
	for i := range 2 {
		d := &dice{r: rand.New(rand.NewPCG(uint64(sim.d.upTo(1<<60)), 1))}
		busy.Go(func() { sim.publish(i, d) })
	}
	locking := &dice{r: rand.New(rand.NewPCG(uint64(sim.d.upTo(1<<60)), 2))}
	busy.Go(func() { sim.lock(locking) })
	busy.Go(sim.disturb)
	time.Sleep(simLength)
	sim.calm.Store(true)
	sim.world.danger.Store(&hazards{})
	busy.Wait()
	for range 2 { // a lock that nobody was answered for may still be on its way when the first unlock is done
		for user := 1; user <= simUsers; user++ {
			if !sim.append(locking, lockOf(fmt.Sprintf("%d.1", user), simActive)) {
				faults = append(faults, "nothing can be appended though everything works again")
			}
		}
		time.Sleep(simCalm / 2)
	}
	for _, c := range sim.clients {
		if !c.greeted {
			c.fault("has no stream in the end")
		}
	}
	end()
	sim.running.Wait()
	for _, n := range sim.nodes {
		n.stop(true)
	}
	for _, c := range sim.clients {
		c.balance()
		faults = append(faults, c.faults...)
	}
	return faults
}

// publish sends letters, each to one person or to all.
func (sim *simulation) publish(publisher int, d *dice) {
	for i := 0; ; i++ {
		time.Sleep(d.in(time.Millisecond, 400*time.Millisecond))
		if sim.calm.Load() {
			return
		}
		to := everyone
		if d.percent(85) {
			to = userAudience(int64(1 + d.upTo(simUsers)))
		}
		letter := fmt.Sprintf("%s-%d.%d", to, publisher, i)
		sim.append(d, journal.Draft{Kind: kindNotice, Actor: "key:1", Audiences: []string{to}, Payload: fmt.Appendf(nil, `{"letter":"%s"}`, letter),
			Once: &journal.Once{Principal: "key:1", Key: letter}})
	}
}

// lock locks and unlocks sessions.
func (sim *simulation) lock(d *dice) {
	if d.percent(40) {
		return
	}
	for !sim.calm.Load() {
		time.Sleep(d.in(10*time.Millisecond, 700*time.Millisecond))
		payload := simActive
		if d.percent(55) {
			payload = simLocked
		}
		sim.append(d, lockOf(fmt.Sprintf("%d.1", 1+d.upTo(simUsers)), payload))
	}
}

// disturb does to nodes and the log what is no matter of chance at each step.
func (sim *simulation) disturb() {
	d := sim.d
	type deed struct {
		name string
		do   func(*dice)
	}
	deeds := []deed{{"a node is stopped", sim.stopNode}, {"a node is killed", sim.killNode}, {"a node is restarted", sim.endNode},
		{"a node is cut off", sim.cutNode}, {"the database is down", sim.cutDatabase}, {"hints for nothing", sim.noise}}
	if d.percent(50) {
		deeds = append(deeds, deed{"a trim", sim.trim}, deed{"a trim", sim.trim}, deed{"a new epoch", sim.newEpoch}, deed{"a restoration", sim.restore})
	}
	began := time.Now()
	for range d.upTo(7) {
		time.Sleep(d.in(50*time.Millisecond, time.Second))
		if time.Since(began) > simLength-time.Second {
			return
		}
		deed := d.upTo(len(deeds))
		sim.tell("%s", deeds[deed].name)
		deeds[deed].do(d)
	}
}

func (sim *simulation) node(d *dice) *simNode { return sim.nodes[d.upTo(2)] }

func (sim *simulation) stopNode(d *dice) {
	sim.node(d).asleep.Store(time.Now().Add(d.in(10*time.Millisecond, 2*time.Second)).UnixNano())
}

func (sim *simulation) killNode(d *dice) { sim.restart(d, false) }

func (sim *simulation) endNode(d *dice) { sim.restart(d, true) }

func (sim *simulation) restart(d *dice, inOrder bool) {
	n := sim.node(d)
	n.stop(inOrder)
	time.Sleep(d.in(time.Millisecond, 500*time.Millisecond))
	n.run(sim.ctx)
}

func (sim *simulation) cutNode(d *dice) {
	n := sim.node(d)
	n.cut.Store(true)
	time.Sleep(d.in(10*time.Millisecond, 1500*time.Millisecond))
	n.cut.Store(false)
}

func (sim *simulation) cutDatabase(d *dice) {
	sim.world.setDown(true)
	time.Sleep(d.in(10*time.Millisecond, 1200*time.Millisecond))
	sim.world.setDown(false)
}

func (sim *simulation) noise(d *dice) {
	for range 5 {
		sim.hint(d.upTo(2), "e1", nil, true)
	}
}

func (sim *simulation) trim(d *dice) { sim.world.trim(sim.world.head() - int64(d.upTo(5))) }

func (sim *simulation) newEpoch(*dice) { sim.world.newEpoch() }

func (sim *simulation) restore(d *dice) {
	sim.world.setDown(true)
	time.Sleep(d.in(10*time.Millisecond, 300*time.Millisecond))
	head := sim.world.head()
	sim.world.restore(max(0, head-int64(d.upTo(8))))
	sim.world.setDown(false)
}
