package services

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestHelloIsItsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.Make[Hello]().Draw(t, "hello")
		wantJSON(t, h, h.appendJSON(nil))
	})
}

func TestLockEventIsItsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.Make[LockEvent]().Draw(t, "event")
		wantJSON(t, e, e.appendJSON(nil))
	})
}

func wantJSON(t *rapid.T, v any, got []byte) {
	t.Helper()
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func BenchmarkHello(b *testing.B) {
	h := Hello{Session: &SessionView{ID: "s", User: SessionUser{Username: "ada", DisplayName: "Ada", Role: "user"}, State: "active", IP: "127.0.0.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"}}
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			_ = h.appendJSON(make([]byte, 0, helloSize))
		}
	})
	b.Run("reflection", func(b *testing.B) {
		for b.Loop() {
			_, _ = json.Marshal(&h)
		}
	})
}
