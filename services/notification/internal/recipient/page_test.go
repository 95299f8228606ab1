package recipient_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
	"github.com/taskwire/taskwire/services/notification/internal/migrations"
	"github.com/taskwire/taskwire/services/notification/internal/recipient"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

type site struct {
	t      *testing.T
	router chi.Router
	store  *recipient.Store
	token  string
}

// newSite has one recipient.
func newSite(t *testing.T) *site {
	t.Helper()
	db, _ := databasetest.Open(t, migrations.Schema)
	log := slog.New(slog.DiscardHandler)
	s := &site{t: t, router: httpapi.NewRouter(log), store: &recipient.Store{DB: db, Now: time.Now}}
	require.NoError(t, db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		r, err := recipient.Lock(ctx, tx, "ada@example.org", time.Now())
		s.token = r.TokenText()
		return err
	}))
	s.store.Mount(s.router, httpapi.Failures{Log: log})
	return s
}

func (s *site) do(method, target, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	s.router.ServeHTTP(rec, req)
	return rec
}

func (s *site) subscribed() bool {
	s.t.Helper()
	is, err := s.store.Subscribed(s.t.Context(), s.token)
	require.NoError(s.t, err)
	return is
}

// A stranger may send these.
func TestNoRequestIsDear(t *testing.T) {
	server := httptest.NewServer(newSite(t).router)
	t.Cleanup(server.Close)
	costtest.Run(t, server.URL, costtest.Own(t),
		costtest.Route{Method: http.MethodGet, Path: recipient.Path, Query: []string{"token"}},
		costtest.Route{Method: http.MethodPost, Path: recipient.Path + "?token=x", Body: `"List-Unsubscribe=One-Click"`},
	)
}

func TestOneClickStopsMailsAndTheLinkTakesItBack(t *testing.T) {
	s := newSite(t)
	link := recipient.Path + "?token=" + s.token
	for range 2 { // a mail client may send it again
		require.Equal(t, http.StatusOK, s.do(http.MethodPost, link, "List-Unsubscribe=One-Click").Code)
		require.False(t, s.subscribed())
	}
	page := s.do(http.MethodGet, link, "")
	require.Contains(t, page.Body.String(), "Send mails again")
	form := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(page.Body.String())
	require.NotNil(t, form)
	base, err := url.Parse("http://example.com" + link)
	require.NoError(t, err)
	back, err := base.Parse(form[1])
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, s.do(http.MethodPost, back.RequestURI(), "").Code)
	require.True(t, s.subscribed())
}

// Mail filters follow each link of a mail.
func TestAGetChangesNothing(t *testing.T) {
	s := newSite(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		page := s.do(method, recipient.Path+"?token="+s.token, "")
		require.Equal(t, http.StatusOK, page.Code)
		require.True(t, s.subscribed())
	}
	page := s.do(http.MethodGet, recipient.Path+"?token="+s.token, "")
	require.Contains(t, page.Body.String(), `<form method="post"`)
	require.Equal(t, "text/html; charset=utf-8", page.Header().Get("Content-Type"))
	require.Equal(t, "no-referrer", page.Header().Get("Referrer-Policy"), "the token stays here")
	require.Contains(t, page.Header().Get("Content-Security-Policy"), "default-src 'none'")
	require.NotRegexp(t, `(?i)<script|<style|style=|onclick|javascript:|ada@`, page.Body.String())
}

func TestATokenThatIsNobodys(t *testing.T) {
	s := newSite(t)
	for name, token := range map[string]string{
		"none": "", "short": "AAAA", "not base64": "!!!!", "another": base64.RawURLEncoding.EncodeToString(make([]byte, 24)),
		"with a quote": url.QueryEscape(`"><script>`), "NUL": "%00", "long": strings.Repeat("A", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range [][2]string{{http.MethodGet, "unsubscribe"}, {http.MethodPost, "unsubscribe"}, {http.MethodPost, "resubscribe"}} {
				page := s.do(c[0], "/api/notifications/"+c[1]+"?token="+token, "")
				require.Equal(t, http.StatusNotFound, page.Code)
				require.NotContains(t, page.Body.String(), "<script")
			}
			require.True(t, s.subscribed())
		})
	}
}
