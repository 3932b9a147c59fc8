// Command rivals runs one server that Belfry is compared with:
//
//	rivals -listen 127.0.0.1:4711 NAME
//
// All speak one small language, so that one generator drives them: GET /stream?topic=T answers with an event stream,
// POST /publish?topic=T sends the body, one line of JSON, to every stream of the topic, and is answered with a status
// that begins with 2 when that was done or is certain to be. None asks who is calling; of what they can do besides,
// each does what a sensible owner would have it do.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// A rival serves until it fails.
type rival func(listener net.Listener, s settings) error

type settings struct {
	folder  string // for what is to last
	chunked bool
}

func rivals() map[string]rival {
	return map[string]rival{
		"raw1":         raw,
		"nethttp":      handled(newcomer),
		"gin":          handled(ginNewcomer),
		"gosse":        handled(goSSE),
		"r3labs":       handled(r3labs),
		"centrifuge":   handled(centrifugeNode),
		"mercure":      handled(mercureLocal),
		"mercure-bolt": handled(mercureBolt),
	}
}

func main() {
	var s settings
	listen := flag.String("listen", "127.0.0.1:0", "host:port to serve at")
	flag.StringVar(&s.folder, "folder", ".", "where to keep what is to last")
	flag.BoolVar(&s.chunked, "chunked", true, "raw1: what is published has the frame of a chunk")
	flag.Usage = func() {
		names := strings.Join(slices.Sorted(maps.Keys(rivals())), " ")
		fmt.Fprintf(flag.CommandLine.Output(), "usage: rivals [flags] NAME\nnames: %s\n", names)
		flag.PrintDefaults()
	}
	flag.Parse()
	serve := rivals()[flag.Arg(0)]
	if serve == nil || flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", *listen) //nolint:noctx // there is nobody yet who could end it
	if err == nil {
		err = serve(listener, s)
	}
	fmt.Fprintln(os.Stderr, cmp.Or(err, errors.New("ended")))
	os.Exit(1)
}

// handled serves what a handler does, with the limits that a server in production has.
func handled(handler func(settings) (http.Handler, error)) rival {
	return func(listener net.Listener, s settings) error {
		h, err := handler(s)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
		return server.Serve(listener)
	}
}

// routes is the handler of most: how a stream is served, and how a message is published.
func routes(stream http.HandlerFunc, publish func(r *http.Request, topic string, body []byte) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stream", stream)
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = publish(r, topicOf(r), body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	return mux
}

func topicOf(r *http.Request) string { return r.URL.Query().Get("topic") }
