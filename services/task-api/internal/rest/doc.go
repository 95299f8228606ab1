// Package rest is the HTTP door of task-api: its routes, what a request says and
// an answer shows, and the problem documents that refusals become. What may be
// done, and what it does, is the domain's.
//
// # Another door
//
// A door for another protocol, such as CalDAV, is a package beside this one. It
//
//   - makes an actor of a request (package actor), whom accounts.SignedIn has let in;
//   - asks for the scopes of its own (auth.Require, as forScopes does here): a token of few
//     scopes opens it otherwise, since the domain knows of lists and not of scopes;
//   - asks the domain's stores (task, list, comment, feed …), which ask access;
//   - says what refuse.Error says in its protocol's words, as problem does here;
//   - has its routes mounted in main.go, at "The doors", behind the same limits;
//   - is left out of depguard's rule "domain" in .golangci.yml, as doors are.
//
// Where its methods are not those of REST: limit/requests.go says which only read (safe),
// pkg/httpapi/router.go which there are (methods), and chi has to be told of them; where its
// clients wait to be asked for a password, so does pkg/auth/auth.go (unauthorized). A door
// whose address is the secret, such as a calendar's feed, comes before accounts.SignedIn, as
// the providers' callbacks do, and finds out itself whose it is. Tasks as iCalendar are written
// by export/calendar.go.
package rest
