// Command provider is an OpenID provider for tests: the example server of zitadel/oidc,
// with users that a test sets.
//
//	PUT /users/{id} {"Email": "ada@example.org", "EmailVerified": true, "FirstName": "Ada"}
//
// The id is the subject, the name to sign in by, and the password. It writes its issuer to
// stdout when it serves, and ends when its stdin does.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// users are those that there are.
type users struct {
	mu  sync.Mutex
	all map[string]storage.User
}

// GetUserByID is that of storage.UserStore.
func (u *users) GetUserByID(id string) *storage.User {
	u.mu.Lock()
	defer u.mu.Unlock()
	one, ok := u.all[id]
	if !ok {
		return nil
	}
	return &one
}

// GetUserByUsername is that of storage.UserStore.
func (u *users) GetUserByUsername(name string) *storage.User { return u.GetUserByID(name) }

// ExampleClientID is that of storage.UserStore.
func (u *users) ExampleClientID() string { return "none" }

func (u *users) set(w http.ResponseWriter, r *http.Request) {
	var one storage.User
	if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	one.ID = r.PathValue("id")
	one.Username, one.Password = one.ID, one.ID
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all[one.ID] = one
}

// main takes the id and the secret of the client, and where its browsers go back to.
func main() {
	if err := serve(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(client, secret string, back []string) error {
	storage.RegisterClients(storage.WebClient(client, secret, back...))
	known := &users{all: map[string]storage.User{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := "http://" + listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /users/{id}", known.set)
	mux.Handle("/", exampleop.SetupServer(issuer, storage.NewStorage(known), slog.New(slog.DiscardHandler), false))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends
		os.Exit(0)
	}()
	fmt.Println(issuer)
	return (&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}).Serve(listener)
}
