package program_test

import (
	"os"
	"slices"
	"testing"

	"belfry/bench/program"
)

func TestFatalEndsTheBodyAndCleansUpBackwards(t *testing.T) {
	var did []string
	note := func(what string) func() { return func() { did = append(did, what) } }
	var dir string
	code := program.Run("fatal", func(tb testing.TB) {
		dir = tb.TempDir()
		tb.Cleanup(note("first"))
		tb.Cleanup(func() {
			if tb.Context().Err() == nil {
				t.Error("the context is there while cleaning up")
			}
			tb.Fatal("this ends the one cleanup, not the others")
		})
		tb.Cleanup(note("last"))
		tb.Fatal("on purpose")
		note("after Fatal")()
	})
	if code != 1 || !slices.Equal(did, []string{"last", "first"}) {
		t.Errorf("exit %d, did %v", code, did)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestExitCodeSaysWhetherAnythingFailed(t *testing.T) {
	for want, body := range map[int]func(testing.TB){
		0: func(tb testing.TB) { tb.Log("all is well") },
		1: func(tb testing.TB) { tb.Errorf("%s", "on purpose") },
	} {
		if code := program.Run("exit", body); code != want {
			t.Errorf("exit %d, want %d", code, want)
		}
	}
}
