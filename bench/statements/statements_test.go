package statements

import (
	"database/sql"
	"os"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"belfry/internal/testpg"
)

func TestMain(m *testing.M) { os.Exit(testpg.Run(m, nil)) }

func TestCountsWhatWasAskedMeanwhile(t *testing.T) {
	db, err := sql.Open("pgx", testpg.NewCluster(t, Setting).DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	Prepare(t, db)
	ask := func(times int) {
		for i := range times {
			if _, err := db.ExecContext(t.Context(), "SELECT $1::int", i); err != nil {
				t.Error(err)
			}
		}
	}
	ask(2)
	asked := During(t, db, func() { ask(3) })
	if got := asked.ByText["SELECT $1::int"]; got.Calls != 3 || got.Rows != 3 || asked.Calls() != 3 || asked.Took <= 0 {
		t.Errorf("%+v", asked)
	}
}

func TestWithoutClockwork(t *testing.T) {
	clockwork := Asked{Took: 2 * time.Second, ByText: map[string]Count{"poll": {Calls: 4}}}
	asked := Asked{Took: time.Second, ByText: map[string]Count{"poll": {Calls: 3}, "resume": {Calls: 5}, "none": {}}}
	left := asked.Without(clockwork)
	if left.Calls() != 6 || left.ByText["poll"].Calls != 1 || left.ByText["resume"].Calls != 5 || len(left.ByText) != 2 {
		t.Errorf("%+v", left)
	}
	asked.Took = time.Second / 10
	if left := asked.Without(clockwork); left.ByText["poll"].Calls != 2 {
		t.Errorf("of a moment: %+v", left)
	}
	if left := asked.Less(clockwork); left.ByText["poll"].Calls != 2.8 {
		t.Errorf("%+v", left)
	}
	if top := asked.Top(func(c Count) float64 { return c.Calls }); top[0] != "resume" || top[1] != "poll" {
		t.Error(top)
	}
}
