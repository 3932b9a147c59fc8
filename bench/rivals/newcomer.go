package main

import (
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
)

// room is how many messages wait for a stream that is slow; one more is lost.
const room = 64

// topics is what a newcomer writes: a channel for each stream.
type topics struct {
	mu      sync.RWMutex
	streams map[string]map[chan string]struct{}
}

func newTopics() *topics { return &topics{streams: map[string]map[chan string]struct{}{}} }

func (t *topics) join(topic string) (messages chan string, leave func()) {
	messages = make(chan string, room)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.streams[topic] == nil {
		t.streams[topic] = map[chan string]struct{}{}
	}
	t.streams[topic][messages] = struct{}{}
	return messages, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.streams[topic], messages)
	}
}

func (t *topics) publish(_ *http.Request, topic string, body []byte) error {
	message := string(body)
	t.mu.RLock()
	defer t.mu.RUnlock()
	for messages := range t.streams[topic] {
		select {
		case messages <- message:
		default:
		}
	}
	return nil
}

// newcomer is net/http alone.
func newcomer(settings) (http.Handler, error) {
	t := newTopics()
	return routes(func(w http.ResponseWriter, r *http.Request) {
		messages, leave := t.join(topicOf(r))
		defer leave()
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusOK)
		flusher := w.(http.Flusher)
		flusher.Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case message := <-messages:
				fmt.Fprintf(w, "event: notice\ndata: %s\n\n", message)
				flusher.Flush()
			}
		}
	}, t.publish), nil
}

// ginNewcomer is the same with Gin, by its own Stream.
func ginNewcomer(settings) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	t := newTopics()
	engine := gin.New()
	engine.Use(gin.Recovery())
	engine.GET("/stream", func(c *gin.Context) {
		messages, leave := t.join(c.Query("topic"))
		defer leave()
		c.Header("Content-Type", "text/event-stream")
		c.Header("Cache-Control", "no-cache")
		c.Writer.Flush()
		c.Stream(func(w io.Writer) bool {
			select {
			case <-c.Request.Context().Done():
				return false
			case message := <-messages:
				fmt.Fprintf(w, "event: notice\ndata: %s\n\n", message)
				return true
			}
		})
	})
	engine.POST("/publish", func(c *gin.Context) {
		body, err := c.GetRawData()
		if err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		_ = t.publish(c.Request, c.Query("topic"), body) // it never fails
		c.Status(http.StatusCreated)
	})
	return engine, nil
}
