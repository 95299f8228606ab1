package recipient

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

// Path is where mails are stopped: by one POST, as a mail client sends it (RFC
// 8058), or on the page that a GET shows. A GET changes nothing, since mail
// filters follow links.
const Path = "/api/notifications/unsubscribe"

// Link is the address that stops the mails of r, below the public address of the
// suite.
func (r *Recipient) Link(public *url.URL) string {
	link := public.JoinPath(Path)
	link.RawQuery = url.Values{"token": {r.TokenText()}}.Encode()
	return link.String()
}

// Mount adds the page. It asks for no user's token: the link is the key.
func (s *Store) Mount(r chi.Router, failures httpapi.Failures) {
	r.Method(http.MethodGet, "/api/notifications/unsubscribe", s.page(failures, s.Subscribed))
	r.Method(http.MethodPost, "/api/notifications/unsubscribe", s.page(failures, func(ctx context.Context, token string) (bool, error) {
		return false, s.Set(ctx, token, false)
	}))
	r.Method(http.MethodPost, "/api/notifications/resubscribe", s.page(failures, func(ctx context.Context, token string) (bool, error) {
		return true, s.Set(ctx, token, true)
	}))
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

func (s *Store) page(failures httpapi.Failures, act func(ctx context.Context, token string) (subscribed bool, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var view struct {
			Known, Subscribed bool
			Token             string
		}
		view.Token = r.URL.Query().Get("token")
		var err error
		view.Subscribed, err = act(r.Context(), view.Token)
		status := http.StatusOK
		switch {
		case errors.Is(err, ErrUnknown):
			status = http.StatusNotFound
		case err != nil:
			failures.Write(w, r, err)
			return
		}
		view.Known = err == nil
		var text bytes.Buffer
		if err := page.Execute(&text, view); err != nil {
			failures.Write(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		w.WriteHeader(status)
		// Who has gone needs no answer.
		_, _ = w.Write(text.Bytes())
	})
}
