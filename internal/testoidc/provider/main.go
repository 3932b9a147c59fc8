// The provider runs an OpenID provider on loopback, for the tests in a browser:
//
//	go run ./internal/testoidc/provider -listen 127.0.0.1:9900 -redirect http://localhost:8080/signed-in \
//		-logout http://localhost:8080/api/v1/oidc/backchannel-logout -user anna:secret -user bob:secret
//
// It prints its address, which is the issuer, alone on a line and serves until it is told to stop. /people signs people out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"belfry/internal/testoidc"
)

const headerTimeout = 5 * time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:0", "address of loopback to listen on; port 0 is any free one")
	var client testoidc.Client
	flag.StringVar(&client.ID, "client-id", "belfry", "the client")
	flag.StringVar(&client.Secret, "client-secret", "", "its secret; empty = a public client")
	flag.StringVar(&client.RedirectURI, "redirect", "http://localhost:8080/signed-in", "where people are sent back to")
	flag.StringVar(&client.LogoutURI, "logout", "", "where the client is told that somebody signed out; empty = nowhere")
	var users []testoidc.User
	flag.Func("user", "a person as NAME:PASSWORD; again for the next", func(value string) error {
		name, password, both := strings.Cut(value, ":")
		if !both || name == "" || password == "" {
			return errors.New("expected NAME:PASSWORD")
		}
		users = append(users, testoidc.User{Subject: "subject-of-" + name, Username: name, Name: "The " + name, Password: password})
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return serve(ctx, *listen, client, users)
}

func serve(ctx context.Context, listen string, client testoidc.Client, users []testoidc.User) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	if address, ok := listener.Addr().(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
		return errors.Join(errors.New("expected an address of loopback: whoever reaches this can sign in as anybody"), listener.Close())
	}
	issuer := "http://" + listener.Addr().String()
	p, err := testoidc.New(issuer, client, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	for _, u := range users {
		p.Put(u)
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: headerTimeout}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	fmt.Println(issuer)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
