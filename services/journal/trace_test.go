package journal_test

import (
	"context"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"gorm.io/gorm"

	"belfry/services/journal"
	"belfry/services/tracing"
)

// TestSharedCommitIsLinked: the span of a transaction for many is found from the span of each, and the other way round.
func TestSharedCommitIsLinked(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracing.Use(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	onBoth(t, func(t *testing.T, n *node) {
		tooLate := time.Now().Add(patience)
		for n.shareCommits(t, spans) == 0 { // who shares with whom is chance
			if time.Now().After(tooLate) {
				t.Fatal("no transaction was for several")
			}
		}
	})
}

// shareCommits has many callers wait for one transaction, and counts the links between their appends and the next ones.
func (n *node) shareCommits(t *testing.T, spans *tracetest.SpanRecorder) (shared int) {
	t.Helper()
	release, held := make(chan struct{}), make(chan struct{})
	var running, begun sync.WaitGroup
	running.Go(func() {
		_, err := n.Transact(t.Context(), func(tx *gorm.DB) ([]journal.Draft, error) {
			_, err := n.Fix(tx)
			close(held)
			<-release
			return nil, err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held // so that the appends wait for each other
	roots := make([]trace.Span, 20)
	begun.Add(len(roots))
	for i := range roots {
		var ctx context.Context
		ctx, roots[i] = tracing.Start(t.Context(), "root", trace.SpanKindServer)
		running.Go(func() {
			defer roots[i].End()
			begun.Done()
			if _, err := n.Append(ctx, journal.Draft{Kind: "x", Audiences: []string{"user:1"}, Payload: []byte("{}")}); err != nil {
				t.Error(err)
			}
		})
	}
	begun.Wait()
	close(release)
	running.Wait()
	for _, root := range roots {
		shared += commitOf(t, spans.Ended(), root.SpanContext().TraceID())
	}
	return shared
}

// commitOf finds the transaction of an append, and counts the links by which others than the first find it.
func commitOf(t *testing.T, spans []sdktrace.ReadOnlySpan, id trace.TraceID) (links int) {
	t.Helper()
	var appended sdktrace.ReadOnlySpan
	for _, s := range spans {
		if s.Name() == "append" && s.SpanContext().TraceID() == id {
			appended = s
		}
	}
	if appended == nil {
		t.Fatalf("trace %s has no append", id)
	}
	for _, s := range spans {
		switch {
		case s.Name() != "commit":
		case s.Parent().SpanID() == appended.SpanContext().SpanID():
			return links
		case len(appended.Links()) == 1 && appended.Links()[0].SpanContext.SpanID() == s.SpanContext().SpanID():
			for _, back := range s.Links() {
				if back.SpanContext.SpanID() == appended.SpanContext().SpanID() {
					return 1
				}
			}
		}
	}
	t.Errorf("the append of trace %s has no transaction", id)
	return 0
}
