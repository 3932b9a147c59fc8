package faults_test

import (
	"time"
)

// fault is one way to break a world and to mend it again.
type fault struct {
	name string
	// uses names what it needs for itself: of two faults that use the same, only one is on at a time.
	uses string
	// each says that there is one of it for each node.
	each bool
	// hold is for how long it is on: between these two.
	hold [2]time.Duration
	// strike breaks node i, or something that both use, and gives the way back. What has mended itself has none.
	strike func(w *world, i int) (lift func() error, err error)
	// within is how late a letter may be for everybody while only this is on; 0 = there is no promise.
	within time.Duration
}

func span(from, to time.Duration) [2]time.Duration { return [2]time.Duration{from, to} }

// atOnce is for what happens and is over.
var atOnce = span(0, 0)

// slack is what a busy machine may add to a time that is promised.
const slack = 1500 * time.Millisecond

// pollFloor is how late a node may learn of an entry when every hint is lost.
const pollFloor = time.Second

// faults is the table. Each of them is on for a while, alone or together with others, in the rounds of a run.
var faults = []fault{
	{name: "kill -9 of a node", uses: "node", each: true, hold: span(300*time.Millisecond, 2*time.Second), strike: killNode},
	{name: "SIGSTOP of a node", uses: "node", each: true, hold: span(time.Second, 6*time.Second), strike: stopNode},
	{name: "SIGTERM of a node", uses: "node", each: true, hold: atOnce, strike: replaceNode},
	{name: "publisher stopped holding the lock", uses: "database", hold: span(time.Second, 5*time.Second), strike: holdLock},

	{name: "PostgreSQL restarted fast", uses: "database", hold: span(0, 2*time.Second), strike: restartDatabase((*cluster).Stop)},
	{name: "PostgreSQL restarted immediate", uses: "database", hold: span(0, 2*time.Second), strike: restartDatabase((*cluster).Abort)},
	{name: "PostgreSQL killed", uses: "database", hold: span(0, 2*time.Second), strike: restartDatabase((*cluster).Kill)},
	{name: "reply to COMMIT lost", uses: "query", each: true, hold: span(200*time.Millisecond, time.Second), strike: loseReplies},
	{name: "connections to the database cut", uses: "query", each: true, hold: atOnce, strike: cutQueries},
	{name: "database far away", uses: "query", each: true, hold: span(time.Second, 3*time.Second), strike: farDatabase},
	{name: "connections used up", uses: "database", hold: span(time.Second, 3*time.Second), strike: useUpConnections},
	{name: "clock an hour ahead", uses: "database", hold: span(time.Second, 2*time.Second), strike: stepClock(time.Hour), within: slack},
	{name: "clock an hour back", uses: "database", hold: span(time.Second, 2*time.Second), strike: stepClock(-time.Hour), within: slack},
	{name: "table locked by a migration", uses: "database", hold: span(time.Second, 5*time.Second), strike: holdTable},
	{name: "stranger's long transaction", uses: "database", hold: span(2*time.Second, 5*time.Second), strike: longTransaction, within: slack},

	{name: "queue of notifications held", uses: "database", hold: span(time.Second, 4*time.Second), strike: holdQueue, within: slack},
	{name: "LISTEN cut", uses: "database", hold: atOnce, strike: terminateListeners, within: pollFloor + slack},
	{name: "LISTEN black-holed", uses: "listen", each: true, hold: span(2*time.Second, 9*time.Second), strike: holeListener, within: pollFloor + slack},
	{name: "hints late", uses: "listen", each: true, hold: span(2*time.Second, 4*time.Second), strike: delayHints, within: pollFloor + slack},
	{name: "hints doubled and forged", uses: "hints", hold: span(time.Second, 3*time.Second), strike: forgeHints, within: slack},

	{name: "clients flapping", uses: "door", each: true, hold: span(time.Second, 3*time.Second), strike: flapDoor},
	{name: "cut in mid-frame", uses: "door", each: true, hold: span(time.Second, 3*time.Second), strike: cutFrames},
	{name: "clients black-holed", uses: "door", each: true, hold: span(time.Second, 5*time.Second), strike: holeDoor},
	{name: "nginx reloaded", uses: "nginx", hold: atOnce, strike: reloadNginx, within: slack},
	{name: "nginx stopped", uses: "nginx", hold: span(0, time.Second), strike: stopNginx},
	{name: "nginx without nodes (502)", uses: "door", hold: span(500*time.Millisecond, 2*time.Second), strike: shutDoors},
}
