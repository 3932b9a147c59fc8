package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/server"
	"belfry/bench/stream"
)

const (
	// visitors are people beside those with streams, who come in turn.
	visitors     = 50
	visitTimeout = time.Minute
)

// connections of their own: that of a stream ends with the stream, without saying so before, and a request that is sent on
// it then is lost.
func connections() http.Client { return http.Client{Transport: &http.Transport{}} }

// visiting is people who sign in, open a stream, lock, unlock and sign out, one after the other.
type visiting struct {
	site   *crowd.Site
	first  int // number of the first visitor
	client http.Client

	done   int
	failed int
	fault  error // the first one
}

// start begins, with so many people a second, or fewer where a visit takes longer than that. stop waits for the last one.
func (v *visiting) start(ctx context.Context, rate float64) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if rate <= 0 {
			return
		}
		tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				v.note(v.visit(context.WithoutCancel(ctx), crowd.Person(v.first+v.done%visitors)))
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		v.client.CloseIdleConnections()
	}
}

func (v *visiting) note(err error) {
	v.done++
	if err != nil {
		v.failed++
		v.fault = cmp.Or(v.fault, err)
	}
}

func (v *visiting) account(c *Course) error {
	c.Visits = v.done - v.failed
	if v.failed > 0 {
		return fmt.Errorf("%d of %d visits failed, the first: %w", v.failed, v.done, v.fault)
	}
	return nil
}

// visit is one from sign-in to sign-out. Each step is taken when the stream has told of the one before.
func (v *visiting) visit(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, visitTimeout)
	defer cancel()
	c := (&server.Caller{}).Via(v.site.Node.Base, &v.client)
	post := func(path string, body any, status int) error {
		answer, err := c.Call(ctx, http.MethodPost, "/api/v1"+path, body)
		if err == nil && answer.Status != status {
			err = fmt.Errorf("POST %s: %d %s", path, answer.Status, answer.Body)
		}
		if cookie, _, given := strings.Cut(answer.Header.Get("Set-Cookie"), ";"); err == nil && given {
			c.Cookie = cookie
		}
		return err
	}
	if err := post("/login", map[string]string{"username": name, "password": server.Password}, http.StatusOK); err != nil {
		return err
	}
	steps := []struct {
		told string
		then func() error
	}{
		{"active", func() error { return post("/session/lock", struct{}{}, http.StatusOK) }},
		{"locked", func() error {
			return post("/session/unlock", map[string]string{"password": server.Password}, http.StatusOK)
		}},
		{"active", func() error { return post("/logout", struct{}{}, http.StatusNoContent) }},
		{"ended", func() error { return nil }},
	}
	reader := stream.New(v.site.Node.Base, "/sse/stream", c.Cookie)
	var fault error
	err := reader.Once(ctx, func(e stream.Event) bool {
		if e.Name != "lock" {
			return true
		}
		var lock struct{ State string }
		if fault = json.Unmarshal([]byte(e.Data), &lock); fault == nil && lock.State != steps[0].told {
			fault = fmt.Errorf("told %q in place of %q", lock.State, steps[0].told)
		}
		if fault == nil {
			fault = steps[0].then()
		}
		steps = steps[1:]
		return fault == nil && len(steps) > 0
	})
	if fault == nil && err == nil && len(steps) > 0 {
		err = fmt.Errorf("the stream ended before %q was told", steps[0].told)
	}
	return errors.Join(fault, err)
}
