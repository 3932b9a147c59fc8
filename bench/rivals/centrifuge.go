package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
)

// historyTTL is how long Centrifuge keeps what it keeps.
const historyTTL = 5 * time.Minute

type topicKey struct{}

// centrifugeNode is the library beneath Centrifugo with its broker in memory, history and recovery; streams are
// unidirectional, as with Centrifugo's uni_sse.
func centrifugeNode(settings) (http.Handler, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(ctx context.Context, _ centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		topic, _ := ctx.Value(topicKey{}).(string)
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{},
			Subscriptions: map[string]centrifuge.SubscribeOptions{topic: {EnableRecovery: true}},
		}, nil
	})
	if err := node.Run(); err != nil {
		return nil, err
	}
	return routes(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), topicKey{}, topicOf(r))
		transport := &eventStream{w: w, control: http.NewResponseController(w), closed: make(chan struct{})}
		defer transport.end()
		client, end, err := centrifuge.NewClient(ctx, node, transport)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer func() { _ = end() }()
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
		client.Connect(centrifuge.ConnectRequest{})
		select {
		case <-r.Context().Done():
		case <-transport.closed:
		}
	}, func(_ *http.Request, topic string, body []byte) error {
		_, err := node.Publish(topic, body, centrifuge.WithHistory(history, historyTTL))
		return err
	}), nil
}

// streamWriteTimeout is as Centrifugo has it.
const streamWriteTimeout = time.Second

// eventStream is a transport that writes events. Centrifuge's own goroutine for the client calls it; the lock keeps it
// from the answer once the handler has returned.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	mu      sync.Mutex
	ended   bool
	closed  chan struct{}
	once    sync.Once
}

func (*eventStream) Name() string                                { return "uni_sse" }
func (*eventStream) AcceptProtocol() string                      { return "h1" }
func (*eventStream) Protocol() centrifuge.ProtocolType           { return centrifuge.ProtocolTypeJSON }
func (*eventStream) ProtocolVersion() centrifuge.ProtocolVersion { return centrifuge.ProtocolVersion2 }
func (*eventStream) Unidirectional() bool                        { return true }
func (*eventStream) Emulation() bool                             { return false }
func (*eventStream) DisabledPushFlags() uint64                   { return 0 }
func (*eventStream) PingPongConfig() centrifuge.PingPongConfig   { return centrifuge.PingPongConfig{} }

func (t *eventStream) Write(message []byte) error { return t.WriteMany(message) }

func (t *eventStream) WriteMany(messages ...[]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return net.ErrClosed
	}
	if err := t.control.SetWriteDeadline(time.Now().Add(streamWriteTimeout)); err != nil {
		return err
	}
	for _, message := range messages {
		for _, part := range [][]byte{[]byte("data: "), message, []byte("\n\n")} {
			if _, err := t.w.Write(part); err != nil {
				return err
			}
		}
	}
	return t.control.Flush()
}

func (t *eventStream) Close(centrifuge.Disconnect) error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

func (t *eventStream) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}
