package main

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/dunglas/mercure"
	r3labssse "github.com/r3labs/sse/v2"
	gosse "github.com/tmaxmax/go-sse"
)

// history is how many messages those keep for streams that come back which keep so many and no more.
const history = 256

// goSSE is github.com/tmaxmax/go-sse with its own provider and a bounded memory of messages.
func goSSE(settings) (http.Handler, error) {
	replayer, err := gosse.NewFiniteReplayer(history, true)
	if err != nil {
		return nil, err
	}
	server := &gosse.Server{
		Provider: &gosse.Joe{Replayer: replayer},
		OnSession: func(w http.ResponseWriter, r *http.Request) ([]string, bool) {
			// The library sends the head with the first message; clients would not know before that they are there.
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush() // one that has gone is found out at the next write
			return []string{topicOf(r)}, true
		},
	}
	return routes(server.ServeHTTP, func(_ *http.Request, topic string, body []byte) error {
		message := &gosse.Message{Type: gosse.Type("notice")}
		message.AppendData(string(body))
		return server.Publish(message, topic)
	}), nil
}

// r3labs is github.com/r3labs/sse with streams made as they are asked for. It keeps all messages, for ever.
func r3labs(settings) (http.Handler, error) {
	server := r3labssse.New()
	server.AutoStream = true
	return routes(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		query.Set("stream", query.Get("topic")) // its own name for it
		r.URL.RawQuery = query.Encode()
		server.ServeHTTP(w, r)
	}, func(_ *http.Request, topic string, body []byte) error {
		server.Publish(topic, &r3labssse.Event{Event: []byte("notice"), Data: body})
		return nil
	}), nil
}

// mercureLocal is Mercure's hub without a memory, open to anybody.
func mercureLocal(settings) (http.Handler, error) {
	return mercureHub(mercure.NewLocalTransport(mercure.NewSubscriberList(mercure.DefaultSubscriberListCacheSize)))
}

// mercureBolt is Mercure's hub as it is delivered: each update is kept, durable before it is acknowledged.
func mercureBolt(s settings) (http.Handler, error) {
	transport, err := mercure.NewBoltTransport(mercure.NewSubscriberList(mercure.DefaultSubscriberListCacheSize),
		slog.New(slog.DiscardHandler), filepath.Join(s.folder, "mercure.db"), "", 0, mercure.BoltDefaultCleanupFrequency)
	if err != nil {
		return nil, err
	}
	return mercureHub(transport)
}

func mercureHub(transport mercure.Transport) (http.Handler, error) {
	hub, err := mercure.NewHub(context.Background(), mercure.WithAnonymous(), mercure.WithTransport(transport),
		mercure.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	return routes(hub.SubscribeHandler, func(r *http.Request, topic string, body []byte) error {
		// A client that goes while it waits does not take its message back; the hub's own handler does the same.
		return hub.Publish(context.WithoutCancel(r.Context()), &mercure.Update{
			Topics: []string{topic}, Event: mercure.Event{Data: string(body), Type: "notice"},
		})
	}), nil
}
