package services

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"belfry/internal/testpg"
	"belfry/models"
)

var (
	historySeed = flag.Uint64("history.seed", 0, "draws what clients of two nodes do to sessions; 0 = any")
	historyTime = flag.Duration("history.time", 2*time.Second, "how long they do it")
)

// TestSessionsAreLinearizable has clients of two nodes lock, unlock, end and use the same sessions at once,
// with no hints between the nodes, and asks porcupine whether what they were answered can be one history.
//
// Security: S10, L12, L18
func TestSessionsAreLinearizable(t *testing.T) {
	t.Parallel()
	t.Run("nodes that follow the log", func(t *testing.T) { t.Parallel(); checkHistory(t, false) })
	t.Run("a node that stops following", func(t *testing.T) { t.Parallel(); checkHistory(t, true) })
}

func checkHistory(t *testing.T, deafen bool) {
	seed := *historySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-history.seed=%d", seed)
	const sessions, clients = 12, 4
	w := newHistory(t)
	for i := range sessions {
		w.begin(t, i)
	}
	var wg sync.WaitGroup
	for i := range sessions {
		for k := range clients {
			random := rand.New(rand.NewPCG(seed, uint64(i*clients+k)))
			wg.Go(func() { w.client(t, i, i*clients+k, random) })
		}
	}
	if deafen {
		time.AfterFunc(*historyTime/3, w.nodes[1].deafen)
	}
	wg.Wait()
	result, info := porcupine.CheckOperationsVerbose(sessionsModel, w.operations, time.Minute)
	if result != porcupine.Ok {
		t.Errorf("%s: %d calls of %d sessions are no one history", result, len(w.operations), sessions)
		explain(t, w, info)
	}
	t.Logf("%d calls, %d of them changed or could change something", len(w.operations), w.writes)
}

// explain shows of each broken session the first call that has no place, and what was called before it
// was answered.
func explain(t *testing.T, w *history, info porcupine.LinearizationInfo) {
	t.Helper()
	for _, partial := range info.PartialLinearizationsOperations() {
		longest := slices.MaxFunc(partial, func(a, b []porcupine.Operation) int { return len(a) - len(b) })
		session := longest[0].Input.(call).session
		rest := slices.DeleteFunc(slices.Clone(w.operations), func(o porcupine.Operation) bool {
			return o.Input.(call).session != session || slices.Contains(longest, o)
		})
		if len(rest) == 0 {
			continue
		}
		stuck := slices.MinFunc(rest, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
		var lines []string
		for _, o := range w.operations { // by the time of their answers
			if c := o.Input.(call); c.session == session && o.Call <= stuck.Return {
				lines = append(lines, c.String())
			}
		}
		t.Errorf("no place for: %s\namong:\n%s", stuck.Input, strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

// history is what clients did, and the sessions they did it to.
type history struct {
	nodes    [2]*node
	sessions [12]account
	start    time.Time

	mu         sync.Mutex
	operations []porcupine.Operation
	writes     int
}

// account is a user with one session, as its browser knows it: the cookies it got, oldest first.
type account struct {
	mu      sync.Mutex
	name    string
	cookies []string
}

func newHistory(t *testing.T) *history {
	address := testpg.Database(t)
	w := &history{nodes: [2]*node{newNode(t, address), newNode(t, address)}, start: time.Now()}
	for _, n := range w.nodes {
		n.throttle.rate.Count = 1 << 30
	}
	return w
}

func (w *history) begin(t *testing.T, i int) {
	name := fmt.Sprint("user", i)
	w.nodes[i%2].person(t, name)
	_, cookie := w.nodes[i%2].signIn(t, name)
	w.sessions[i].name, w.sessions[i].cookies = name, []string{cookie}
}

// client acts for a while and then only asks, for longer than a node may answer from memory: whatever was
// not seen by then was not seen at all.
func (w *history) client(t *testing.T, session, id int, random *rand.Rand) {
	verbs := []verb{asks, asks, asks, asks, acts, locks, locks, isLocked, unlocks, unlocks, unlocks, guesses}
	calm := w.start.Add(*historyTime)
	for until := calm.Add(staleness + staleness/2); time.Now().Before(until); {
		v := asks
		if time.Now().Before(calm) {
			v = verbs[random.IntN(len(verbs))]
			if random.IntN(100) == 0 {
				v = []verb{leaves, isEnded}[random.IntN(2)]
			}
		}
		w.do(t, call{verb: v, session: session, node: random.IntN(2)}, id, random)
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
	}
}

// do carries a call out and writes it down.
func (w *history) do(t *testing.T, c call, client int, random *rand.Rand) {
	a := &w.sessions[c.session]
	a.mu.Lock()
	c.cookie = len(a.cookies) - 1
	if c.cookie > 0 && random.IntN(8) == 0 {
		c.cookie-- // of a tab that has not heard
	}
	cookie := a.cookies[c.cookie]
	a.mu.Unlock()
	c.at = time.Since(w.start).Nanoseconds()
	fresh, answer := w.carryOut(t.Context(), c, a.name, cookie)
	c.end, c.answer = time.Since(w.start).Nanoseconds(), answer
	if !slices.Contains(expected, answer) && !strings.HasSuffix(answer, " left") {
		t.Errorf("an answer that no client should get: %s", c)
	}
	if fresh != "" {
		a.mu.Lock()
		a.cookies = append(a.cookies, fresh)
		a.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.verb != asks {
		w.writes++
	}
	w.operations = append(w.operations, porcupine.Operation{ClientId: client, Input: c, Call: c.at, Return: c.end})
}

var expected = []string{done, locked, unauthenticated, tooMany, renewed, nothing}

// nothing is the answer to who locks a user's sessions and finds none that is active.
const nothing = "nothing to lock"

// carryOut does what the API does for the route of each verb.
func (w *history) carryOut(ctx context.Context, c call, name, cookie string) (fresh, told string) {
	s := w.nodes[c.node].sessions
	switch c.verb {
	case isLocked:
		n, err := s.LockUser(ctx, name)
		if err == nil && n == 0 {
			return "", nothing
		}
		return "", answer(err)
	case isEnded:
		return "", answer(s.EndUser(ctx, name))
	}
	l, err := s.Resolve(ctx, cookie)
	if err != nil {
		return "", answer(err)
	}
	if l.Verdict.State == models.SessionEnded || (l.Verdict.State == models.SessionLocked && (c.verb == asks || c.verb == acts)) {
		return "", string(codeOf(refusal(l)))
	}
	switch c.verb {
	case acts:
		_, err = s.Touch(ctx, l, true)
		return "", withoutReason(err)
	case locks:
		_, err = s.Lock(ctx, l, l.ID)
		return "", withoutReason(err)
	case leaves:
		err = s.Logout(ctx, l)
	case unlocks, guesses:
		given := password
		if c.verb == guesses {
			given = "wrong horse"
		}
		_, fresh, err = s.Unlock(ctx, l, given)
		if fresh != "" {
			return fresh, renewed
		}
		if text := answer(err); strings.HasSuffix(text, " left") || text == tooMany {
			return "", text
		}
		return "", withoutReason(err)
	}
	return "", answer(err)
}

// withoutReason is the answer's status: why a session ended is not in the model.
func withoutReason(err error) string {
	if err == nil {
		return done
	}
	return string(codeOf(err))
}
