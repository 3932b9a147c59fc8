package handlers

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"belfry/services"
)

func describedLine() described[BatchLine] {
	gin.SetMode(gin.ReleaseMode)
	return describe[BatchLine](humagin.New(gin.New(), huma.DefaultConfig("test", "1")))
}

const fullLine = `{"to":{"users":["anna","bert"],"groups":["all"],"everyone":true},"title":"A title","body":"Some text","format":"markdown",
	"url":"/x","actions":[{"label":"Go","url":"/y"}],"severity":"warning","category":"news","data":{"a":[1,{"b":"c"}]},"collapse_key":"k",
	"expires_at":"2099-01-01T00:00:00Z","deliver_at":"2026-01-01T00:00:00Z","idempotency_key":"once"}`

// FuzzQuickReadIsStrict: what is taken at once, the description's check takes as well, and for the same, unless what is
// wrong with it is among the limits that the service refuses by itself.
func FuzzQuickReadIsStrict(f *testing.F) {
	for _, line := range []string{
		fullLine, strings.ReplaceAll(fullLine, `"title"`, `"Title"`), `{}`, `[]`, `{"to":{},"title":"x"}`, `{"to":{"users":["a"]},"title":null}`,
		`{"to":{"users":["a"]},"title":"x","title":"y"}`, `{"to":{"users":["a"]},"title":"x","more":1}`, `{"to":{"users":"a"},"title":"x"}`,
		`{"to":{"users":["a"],"Users":["b"]},"title":"x"}`, `{"to":{"everyone":1},"title":"x"}`, `{"title":7}`, `{"title":"x"} {}`, `{"title":"x"`,
		`{"to":{"users":["a"]},"title":"x","data":{"n":1e999}}`, `{"to":{"users":["a"]},"title":7,"title":"x"}`,
		`{"to":{"users":["a"]},"title":"x","format":""}`, `{"to":{"users":["a"]},"title":"x","data":7}`, `{"to":{"users":["a"]},"title":"x","actions":[{"label":"a"}]}`, "{\"title\":\"\xff\"}",
		`{"to":{"users":["a"]},"title":"\ud800"}`, `{"to":{"users":[1]},"title":"x"}`, `{"to":{"users":["a"]},"title":"x","actions":[{"label":"a","url":"/","x":1}]}`,
	} {
		f.Add([]byte(line))
	}
	lines := describedLine()
	f.Fuzz(func(t *testing.T, raw []byte) {
		quick, err := lines.read(raw)
		if err != nil {
			return // the strict way has answered
		}
		strict, err := lines.readStrictly(raw)
		if err != nil {
			if out, fault := quick.outgoing(services.Repeatable{}); fault == nil && services.CheckContent(&out.Content, out.To) == nil && len(quick.IdempotencyKey) <= MaxIdempotencyKey {
				t.Errorf("%q was taken: %v", raw, err)
			}
			return
		}
		if !reflect.DeepEqual(quick, strict) {
			t.Errorf("%q:\n%+v\n%+v", raw, quick, strict)
		}
	})
}

func TestQuickReadIsUsed(t *testing.T) {
	lines := describedLine()
	lines.schema = nil // the other way would panic
	line, err := lines.read([]byte(fullLine))
	if err != nil || line.Title != "A title" || len(line.To.Users) != 2 || line.IdempotencyKey != "once" || !json.Valid(line.Data) {
		t.Errorf("%+v, %v", line, err)
	}
}

// BenchmarkReadNotice is the reason for the quick way.
func BenchmarkReadNotice(b *testing.B) {
	lines := describedLine()
	raw := []byte(fullLine)
	for name, read := range map[string]func([]byte) (BatchLine, error){"quick": lines.read, "strict": lines.readStrictly} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
