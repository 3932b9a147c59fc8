package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/machine"
	"belfry/bench/server"
)

// verify attacks in one way after the other.
type verify struct {
	database      string
	streams       int
	slices        int
	slice, settle time.Duration
	most          float64
	only, without string
}

func (v *verify) Flags(set *flag.FlagSet) {
	set.StringVar(&v.database, "database", "sqlite", "sqlite or postgres")
	set.IntVar(&v.streams, "streams", 200, "streams of the bystanders")
	set.IntVar(&v.slices, "slices", 7, "times that are measured without each attack, and as many with it, in turn; three times as many at most where that comes out above")
	set.DurationVar(&v.slice, "slice", 2*time.Second, "how long each of them is")
	set.DurationVar(&v.settle, "settle", time.Second, "how long nothing is measured once an attack has met its limit, and when it is over")
	set.Float64Var(&v.most, "most", 1.5, "what the bystanders' p99 may be multiplied by; 0 = it is not judged")
	set.StringVar(&v.only, "only", "", "these attacks alone, separated by semicolons")
	set.StringVar(&v.without, "without", "", "all but these")
}

// meetWithin is how long an attack may take until it is refused, and askEvery how often that is asked.
const (
	meetWithin = time.Minute
	askEvery   = 100 * time.Millisecond
)

func (v *verify) Run(t testing.TB, out io.Writer) {
	about, err := machine.Conditions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	site := crowd.Start(t, crowd.Shape{SQLite: v.database != "postgres", People: v.streams + 1, Internal: true, Scopes: "notices:write,users:write", Settings: []string{"LOGIN_RATE=" + loginRate}})
	var limited struct{ Key string }
	site.Node.ByKey(site.Key).Must(t, http.StatusCreated, http.MethodPost, "/api/v1/keys",
		map[string]any{"name": "limited", "scopes": []string{"notices:write"}, "rate": "100/m"}, &limited)
	bystanders, err := begin(t, site, v.streams)
	if err != nil {
		t.Fatal(err)
	}
	to := target{Address: site.Node.Address(), Key: site.Key, LimitedKey: limited.Key, Person: crowd.Person(v.streams), Cookie: site.Cookies[v.streams]}
	fmt.Fprintf(out, "%s; %s\n%s; %d streams get %d notices a second, and one of them each of %d more; %d × %v without each attack and as long with it, in turn; medians of p99\n\n",
		machine.Describe(), about, v.database, v.streams, togetherRate, singleRate, v.slices, v.slice)
	fmt.Fprintln(out, "| attack | limit | attackers were answered | counted by | by | p99 without | with | × | turns |\n|---|---|---|---|---|---|---|---|---|")
	for i, one := range assaults() {
		if !v.wanted(one.name) {
			continue
		}
		to.Attack, to.From = one.name, 1+i
		began := time.Now()
		met, err := v.meet(t, one, to, site, bystanders)
		if err != nil {
			t.Fatalf("%s: %v", one.name, err)
		}
		t.Logf("%s took %v, without %v, with %v", one.name, time.Since(began).Round(10*time.Millisecond), met.without, met.with)
		fmt.Fprintln(out, met.row())
		for _, fault := range met.faults(v.most) {
			t.Errorf("%s: %s", one.name, fault)
		}
	}
	summary, err := bystanders.finish()
	fmt.Fprintln(out, "\n"+summary)
	if err != nil {
		t.Error(err)
	}
}

func (v *verify) wanted(name string) bool {
	if v.only != "" {
		return slices.Contains(strings.Split(v.only, ";"), name)
	}
	return !slices.Contains(strings.Split(v.without, ";"), name)
}

// met is what came of an attack.
type met struct {
	assault
	answers       map[string]int
	counted       float64
	without, with []time.Duration
}

// longer is how many times as many turns an attack is given at most that comes out above the bound. One turn's p99 is now a
// quarter, now three times another's on a machine that others share, and so one of a dozen ratios of medians is above it by
// chance. All turns are judged then, not the later ones.
const longer = 3

func (v *verify) goesOn(m *met) bool {
	turns := len(m.with)
	return turns < v.slices || (v.most > 0 && m.refusal != unlimited && m.ratio() > v.most && turns < longer*v.slices)
}

func (v *verify) meet(t testing.TB, one assault, to target, site *crowd.Site, b *bystanders) (*met, error) {
	m := &met{assault: one, answers: map[string]int{}}
	for v.goesOn(m) {
		if err := v.turn(t, m, to, site, b); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// turn measures once without the attack and once with it.
func (v *verify) turn(t testing.TB, m *met, to target, site *crowd.Site, b *bystanders) error {
	without, err := b.slice(v.slice)
	if err != nil {
		return err
	}
	before, err := counted(t, site.Internal, m.assault)
	if err != nil {
		return err
	}
	attacker, err := send(t, to)
	if err != nil {
		return err
	}
	moved := func() bool {
		now, err := counted(t, site.Internal, m.assault)
		return err == nil && now > before
	}
	if err := errors.Join(b.until(m.metric+" to move", meetWithin, moved), b.wait(v.settle)); err != nil {
		return err
	}
	with, err := b.slice(v.slice)
	if err != nil {
		return err
	}
	m.without, m.with = append(m.without, without), append(m.with, with)
	answers, err := attacker.callOff(b, v.settle)
	if err != nil {
		return err
	}
	for answer, n := range answers {
		m.answers[answer] += n
	}
	after, err := counted(t, site.Internal, m.assault)
	m.counted += after - before
	return err
}

func median(all []time.Duration) time.Duration { return slices.Sorted(slices.Values(all))[len(all)/2] }

func (m *met) ratio() float64 { return float64(median(m.with)) / float64(median(m.without)) }

func (m *met) row() string {
	var answers []string
	for _, answer := range slices.Sorted(maps.Keys(m.answers)) {
		answers = append(answers, fmt.Sprintf("%s: %d", answer, m.answers[answer]))
	}
	label := ""
	if m.label != "" {
		label = "{" + m.label + "}"
	}
	ms := func(d time.Duration) string {
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
	}
	return fmt.Sprintf("| %s | %s | %s | `%s%s` | %.0f | %s | %s | %.2f | %d |", m.name, m.limit, strings.Join(answers, ", "), m.metric, label, m.counted,
		ms(median(m.without)), ms(median(m.with)), m.ratio(), len(m.with))
}

// faults are what did not hold. Time is judged where there is a bound.
func (m *met) faults(most float64) (all []string) {
	if m.answers[m.refusal] == 0 {
		all = append(all, fmt.Sprintf("nobody was answered %s: %v", m.refusal, m.answers))
	}
	if m.counted == 0 {
		all = append(all, m.metric+" did not move")
	}
	if most > 0 && m.refusal != unlimited && m.ratio() > most {
		all = append(all, fmt.Sprintf("the others' p99 is %.2f times as long", m.ratio()))
	}
	return all
}

// counted is the sum of the samples that count an attack. It asks from a connection of its own: the limits do not hold for the
// internal listener.
func counted(t testing.TB, internal string, one assault) (sum float64, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+internal+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		sample, value, _ := strings.Cut(strings.Replace(lines.Text(), "} ", "}\x00", 1), "\x00")
		if !strings.Contains(lines.Text(), "}") {
			sample, value, _ = strings.Cut(lines.Text(), " ")
		}
		name, _, _ := strings.Cut(sample, "{")
		if name != one.metric || !strings.Contains(sample, one.label) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("/metrics: %q", lines.Text())
		}
		sum += n
	}
	return sum, nil
}

// sent is an attack that is under way, in a process that gets of the processors what nobody else wants: it stands for other
// machines, which take none of the server's.
type sent struct {
	process *server.Process
	stop    io.Closer
	out     *bytes.Buffer
}

func send(t testing.TB, to target) (*sent, error) {
	t.Helper()
	host, _, err := net.SplitHostPort(to.Address)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("%s is not of this machine, %w", to.Address, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(to)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(t.Context(), "nice", "-n", "19", self, attackerName)
	s := &sent{out: &bytes.Buffer{}}
	command.Stdout, command.Stderr = s.out, os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.stop = input
	if s.process, err = server.Start(command, syscall.SIGKILL); err != nil {
		return nil, err
	}
	t.Cleanup(s.process.Kill)
	_, err = input.Write(text)
	return s, err
}

// callOff ends the attack and gives what it was answered. The others are served meanwhile, and a while longer.
func (s *sent) callOff(b *bystanders, settle time.Duration) (answers map[string]int, err error) {
	_ = s.stop.Close()
	gone := func() bool {
		select {
		case <-s.process.Exited():
			return true
		default:
			return false
		}
	}
	if err := errors.Join(b.until("the attackers to go", meetWithin, gone), b.wait(settle)); err != nil {
		return nil, err
	}
	if code := s.process.ExitCode(); code != 0 {
		return nil, fmt.Errorf("the attackers ended with %d", code)
	}
	return answers, json.Unmarshal(s.out.Bytes(), &answers)
}
