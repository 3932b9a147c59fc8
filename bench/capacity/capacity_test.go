package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belfry/bench/crowd"
	"belfry/bench/program"
	"belfry/bench/server"
	"belfry/internal/testpg"
)

func TestMain(m *testing.M) {
	code := testpg.Run(m, nil)
	server.Remove()
	os.Exit(code)
}

// The programs themselves, too short to tell anything but that they work and that nothing was lost.

func TestFind(t *testing.T) {
	t.Parallel()
	printed := program.Output(t, tasks()["find"], "-databases=sqlite", "-most=30", "-streams=10", "-fastest=1000", "-duration=50ms", "-warmup=10ms", "-closely=1", "-p99=1m", "-memory=8192", "-probes=100")
	program.Wants(t, printed, `fsync of 8 KiB \d+\.\d\d ms, \d+ descriptors`, `p99 at most 1m0s`, `\| what fits \| SQLite \|`, `streams that wait\*\* \| \*\*[1-9]`,
		`each for one person\*\* \| \*\*[1-9]`, `for 10 streams\*\* \| \*\*[1-9]`, `(?s)(what did not fit \| (more|[1-9]).*){3}`, `\| 100,000 \| `)
}

func TestSoak(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	saved, picture := filepath.Join(dir, "all.json"), filepath.Join(dir, "all.svg")
	printed := program.Output(t, tasks()["soak"], "-minutes=0.02", "-every=40ms", "-streams=30", "-fill=500", "-singles=100", "-together=10", "-cuts=30", "-visits=10",
		"-rss=1e12", "-descriptors=1e12", "-goroutines=1e12", "-latency=0", "-json="+saved, "-svg="+picture)
	for _, database := range []string{"postgres", "sqlite"} {
		program.Wants(t, printed, database+` +memory, MiB +[1-9][\d.]* .*1e\+12 +flat`, database+` +descriptors +[1-9]`, database+` +goroutines +[1-9]`,
			database+`: [1-9]\d* notices acknowledged, 0 refused; [1-9]\d* deliveries, 0 lost, 0 doubled, 0 out of order, .* [1-9]\d* streams cut, \d+ sent away, 0 evicted, 0 reset; [1-9]\d* visits, [1-9]\d* pages`)
	}
	var r Record
	text, err := os.ReadFile(saved)
	if err != nil || json.Unmarshal(text, &r) != nil || len(r.Courses) != 2 || len(r.Courses[0].Samples) != 30 {
		t.Errorf("%v: %+v", err, r)
	}
	var again strings.Builder
	if err := plot([]string{saved, picture}, &again); err != nil || !strings.HasPrefix(printed, again.String()) {
		t.Errorf("%v: what was saved is judged anew as\n%s", err, again.String())
	}
}

// A visit that does not go as it should is told.
func TestVisitFails(t *testing.T) {
	t.Parallel()
	site := crowd.Start(t, crowd.Shape{SQLite: true, People: 1})
	v := &visiting{site: site, client: connections()}
	v.note(v.visit(t.Context(), "nobody"))
	var c Course
	if err := v.account(&c); err == nil || !strings.Contains(err.Error(), "1 of 1 visits failed") || !strings.Contains(err.Error(), "401") || c.Visits != 0 {
		t.Errorf("%v; %d went well", err, c.Visits)
	}
}
