package provider

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

const (
	// answerWithin is how long a provider has for one answer.
	answerWithin = 5 * time.Second
	// Patience is how long all that one request asks a provider may take.
	Patience = 10 * time.Second
	// longestBack is how long a part of an address may be that it sends a browser to, in bytes.
	longestBack = 8 << 10
	// longestAnswer is how long one may be, in bytes: keys and tokens are some kilobytes.
	longestAnswer = 1 << 20
	// askAgain is how long nobody asks a provider that was away.
	askAgain = time.Second
	// signedInWithin is how long ago the provider may have asked its user for a password or
	// the like: a sign-in counts as a recent one here (access.Actor.SignedInRecently). Those
	// that do not know of it do as they please.
	signedInWithin = 10 * time.Minute
	// clockDrift is how far the provider's clock may be off.
	clockDrift = time.Minute
)

// Providers are those of OIDC_PROVIDERS.
type Providers struct {
	all []*Provider
}

// New returns the providers, none of which is asked for anything yet. Back is where they
// send browsers back to: it is followed by the id of the provider, and /callback.
func New(configs []Config, back string, log *slog.Logger) *Providers {
	all := &Providers{}
	for _, c := range configs {
		all.all = append(all.all, &Provider{
			Config: c, back: back + c.ID + "/callback", log: log, asking: make(chan struct{}, 1),
			client: &http.Client{
				Timeout: answerWithin, Transport: bounded{http.DefaultTransport},
				// What goes there is a secret, and is for nobody else.
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
			away: &outage.Outage{Log: log.With("provider", c.ID), Gone: "an OpenID provider can not be asked who signs in", Back: "the OpenID provider can be asked again"},
		})
	}
	return all
}

// All are the providers, in the order of the setting.
func (p *Providers) All() []*Provider { return p.all }

// ByID is the provider with an id.
func (p *Providers) ByID(id string) (*Provider, error) {
	i := slices.IndexFunc(p.all, func(one *Provider) bool { return one.ID == id })
	if i < 0 {
		return nil, refuse.Missing("provider")
	}
	return p.all[i], nil
}

// Provider is one that users sign in at.
type Provider struct {
	Config

	back   string
	client *http.Client
	log    *slog.Logger
	away   *outage.Outage

	asking chan struct{} // has one while somebody reads found and failed
	found  *found
	failed time.Time
}

// found is what a provider says of itself.
type found struct {
	*oidc.Provider

	Keys       string   `json:"jwks_uri"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
	SaysIssuer bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	tokens     *oidc.IDTokenVerifier
}

// signatures are the algorithms of tokens that are taken: none with a shared secret.
var signatures = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// errAway says that the provider could not be asked.
var errAway = refuse.Because(refuse.Busy, "the provider can not be asked at the moment; try again shortly, or sign in with your password")

// ask has the provider say where its parts are, the first time that somebody needs it:
// task-api starts without it.
func (p *Provider) ask(ctx context.Context) (*found, error) {
	select {
	case p.asking <- struct{}{}:
		defer func() { <-p.asking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.found != nil {
		return p.found, nil
	}
	if time.Since(p.failed) < askAgain {
		return nil, errAway
	}
	discovered, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.Issuer)
	f := &found{Provider: discovered}
	if err == nil {
		err = discovered.Claims(f)
	}
	if err != nil {
		p.failed = time.Now()
		return nil, p.isAway(ctx, fmt.Errorf("discover %s: %.300s", p.Issuer, err.Error())) // it may have all that was answered
	}
	algorithms := slices.DeleteFunc(f.Algorithms, func(a string) bool { return !slices.Contains(signatures, a) })
	// Keys are read again long after this request.
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), p.client), f.Keys)
	f.tokens = oidc.NewVerifier(p.Issuer, keySet{keys}, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: algorithms})
	p.found = f
	p.away.Worked()
	return f, nil
}

// isAway takes note of what a provider failed with.
func (p *Provider) isAway(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err() // whoever asked has gone
	}
	p.away.Failed(ctx, err)
	return errAway
}

func (p *Provider) flow(f *found) *oauth2.Config {
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: f.Endpoint(), RedirectURL: p.back, Scopes: p.Scopes}
}

// Start is where a browser is sent to for somebody to sign in, and what has to be known
// when it is back.
func (p *Provider) Start(ctx context.Context) (address string, e account.AuthRequest, err error) {
	f, err := p.ask(ctx)
	if err != nil {
		return "", e, err
	}
	e = account.NewAuthRequest(p.ID)
	e.Verifier = oauth2.GenerateVerifier()
	address = p.flow(f).AuthCodeURL(e.State, oidc.Nonce(e.Nonce), oauth2.S256ChallengeOption(e.Verifier),
		oauth2.SetAuthURLParam("max_age", fmt.Sprint(int(signedInWithin.Seconds()))))
	return address, e, nil
}

// Back is what a provider sends a browser back with.
type Back struct{ Code, State, Error, Issuer string }

// Finish is who somebody is, whose browser is back from a request. The provider takes each
// code once.
func (p *Provider) Finish(ctx context.Context, e account.AuthRequest, back Back) (account.Claimed, error) {
	none := account.Claimed{}
	if subtle.ConstantTimeCompare([]byte(back.State), []byte(e.State)) != 1 {
		return none, refuse.Because(refuse.SignInNotBegun, "this browser has not begun this sign-in, or has begun another since; begin again")
	}
	if len(back.Code) > longestBack {
		return none, p.refused(ctx, errors.New("the code is too long"))
	}
	f, err := p.ask(ctx)
	switch {
	case err != nil:
		return none, err
	case back.Issuer != p.Issuer && (back.Issuer != "" || f.SaysIssuer):
		return none, p.refused(ctx, errors.New("the answer is of another issuer"))
	case back.Error != "":
		// Such as access_denied: its user has changed his mind.
		return none, refuse.Because(refuse.ProviderRefused, "the provider has not signed you in")
	case back.Code == "":
		return none, p.refused(ctx, errors.New("there is no code"))
	}
	ctx = context.WithValue(oidc.ClientContext(ctx, p.client), awayKey{}, new(error))
	token, err := p.flow(f).Exchange(ctx, back.Code, oauth2.VerifierOption(e.Verifier))
	if err != nil {
		return none, p.exchangeFailed(ctx, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := f.tokens.Verify(ctx, raw)
	if err != nil {
		if cause := *ctx.Value(awayKey{}).(*error); cause != nil {
			return none, p.isAway(ctx, cause)
		}
		return none, p.refused(ctx, err)
	}
	said := struct {
		Party    string `json:"azp"`
		AuthTime int64  `json:"auth_time"`
		user
	}{}
	if err := id.Claims(&said); err != nil {
		return none, p.refused(ctx, errors.New("its token can not be read"))
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(e.Nonce)) != 1:
		return none, p.refused(ctx, errors.New("the token is of another sign-in (nonce)"))
	case said.Party != "" && said.Party != p.ClientID, said.Party == "" && len(id.Audience) > 1:
		return none, p.refused(ctx, errors.New("the token was made for another client (azp)"))
	case said.AuthTime != 0 && time.Since(time.Unix(said.AuthTime, 0)) > signedInWithin+clockDrift:
		return none, p.refused(ctx, errors.New("its user has signed in there too long ago"))
	}
	if said.Email == "" && f.UserInfoEndpoint() != "" {
		// With a code, what is asked for by scopes may be there alone (section 5.4).
		info, err := f.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			var away *url.Error
			if !errors.As(err, &away) {
				away = &url.Error{Op: "Get", URL: f.UserInfoEndpoint(), Err: errors.New("another answer than what it says of the user")} // which may be in err
			}
			return none, p.isAway(ctx, away)
		}
		if info.Subject != id.Subject {
			return none, p.refused(ctx, errors.New("what it says of the user is of another"))
		}
		if err := info.Claims(&said.user); err != nil {
			return none, p.refused(ctx, errors.New("what it says of the user can not be read"))
		}
	}
	p.away.Worked()
	return account.Claimed{Issuer: p.Issuer, Subject: id.Subject, Email: said.Email, EmailVerified: said.verified(), Name: said.Name}, nil
}

// user is what a provider says of one.
type user struct {
	Email    string `json:"email"`
	Verified any    `json:"email_verified"` // true; some write "true"
	Name     string `json:"name"`
}

func (u user) verified() bool { return u.Verified == true || u.Verified == "true" }

// exchangeFailed tells a code that the provider does not take from a provider that is away
// or does not know us.
func (p *Provider) exchangeFailed(ctx context.Context, err error) error {
	var no *oauth2.RetrieveError
	if !errors.As(err, &no) {
		return p.isAway(ctx, err)
	}
	if no.ErrorCode == "invalid_grant" {
		return p.refused(ctx, errors.New("it does not take the code (invalid_grant)"))
	}
	// Not the error itself: it has all that was answered.
	return p.isAway(ctx, fmt.Errorf("the token endpoint answers %d %.60q", no.Response.StatusCode, no.ErrorCode))
}

func (p *Provider) refused(ctx context.Context, why error) error {
	p.log.WarnContext(ctx, "what an OpenID provider has answered was refused", "provider", p.ID, "error", why)
	return refuse.Because(refuse.ProviderRefused, "the provider's answer can not be accepted; begin again")
}

// keySet tells keys that can not be read from a signature that is wrong.
type keySet struct{ oidc.KeySet }

type awayKey struct{}

// VerifySignature is that of oidc.KeySet.
func (k keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, token)
	if err != nil && strings.HasPrefix(err.Error(), "fetching keys") {
		if away, ok := ctx.Value(awayKey{}).(*error); ok {
			*away = err
		}
	}
	return payload, err
}

// bounded reads no more than longestAnswer of an answer.
type bounded struct{ next http.RoundTripper }

// RoundTrip is that of http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, longestAnswer)
	}
	return res, err
}
