// Package auth tells who is calling: a user by a JWT (header or cookie), or
// the Dapr sidecar by its token.
package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/setting"
)

// Cookie is the name of the cookie that carries the token of a browser.
const Cookie = "auth_token"

// MinSecret is how long a shared secret must be, in bytes (RFC 7518, section 3.2).
const MinSecret = 32

// Settings say what the tokens of task-api are.
type Settings struct {
	Issuer         string `env:"JWT_ISSUER" envDefault:"taskwire"`
	Audience       string `env:"JWT_AUDIENCE" envDefault:"taskwire"`
	TaskAPIJWKSURL string `env:"TASK_API_JWKS_URL"` // default: task-api, through the own sidecar
}

// Validate checks what types and tags cannot.
func (s Settings) Validate() error { return setting.CheckURL("TASK_API_JWKS_URL", s.TaskAPIJWKSURL) }

// ServiceAudience is the audience of the tokens that task-api hands to the other services
// with each request: they accept no other, and task-api does not accept those.
func (s Settings) ServiceAudience() string { return s.Audience + "/services" }

// OutsideSettings say whose tokens task-api accepts beside its own.
//
// Whoever holds JWT_SECRET is trusted as the suite itself is: its sub, where it
// is a UUID, is the user's id. The users of a JWKS issuer have ids of their
// own, which none of ours can have, and its tokens must be meant for us.
type OutsideSettings struct {
	JWKSURL  string `env:"JWT_JWKS_URL"`                    // keys of an outside issuer
	Issuer   string `env:"JWT_OUTSIDE_ISSUER"`              // iss that outside tokens must have, if set
	Audience string `env:"JWT_OUTSIDE_AUDIENCE"`            // aud that outside tokens must have; with JWT_JWKS_URL default JWT_AUDIENCE
	Secret   string `env:"JWT_SECRET,unset" secret:"value"` // shared secret (HS256) of an outside issuer
}

// Validate checks what types and tags cannot.
func (s OutsideSettings) Validate() error {
	errs := []error{setting.CheckURL("JWT_JWKS_URL", s.JWKSURL)}
	if s.Secret != "" && len(s.Secret) < MinSecret {
		errs = append(errs, fmt.Errorf("JWT_SECRET must have at least %d bytes", MinSecret))
	}
	if s.JWKSURL == "" && s.Secret == "" {
		for name, value := range map[string]string{"JWT_OUTSIDE_ISSUER": s.Issuer, "JWT_OUTSIDE_AUDIENCE": s.Audience} {
			if value != "" {
				errs = append(errs, fmt.Errorf("%s needs JWT_JWKS_URL or JWT_SECRET: without them there is no outside issuer", name))
			}
		}
	}
	return errors.Join(errs...)
}

// Claims are what a token says, beside the registered claims (RFC 7519).
type Claims struct {
	jwt.RegisteredClaims
	Email string `json:"email,omitempty"`
	// EmailVerified is what an outside issuer says of it (OpenID Connect Core 1.0, section
	// 5.1); some write it as a text.
	EmailVerified any `json:"email_verified,omitempty"`
	// SessionID is the session that the token is of.
	SessionID uuid.UUID `json:"sid,omitzero"`
	// ListsAlone says, to another service, that the request is about the lists alone that
	// are told with it (package membership), and about nothing that is in none.
	ListsAlone bool `json:"lists_alone,omitempty"`
	// Operator says, to another service, that task-api knows the user for an operator, and
	// that he asks for what is for operators.
	Operator bool `json:"operator,omitempty"`
}

// Caller is the user behind a request.
type Caller struct {
	UserID  uuid.UUID
	Email   string
	Outside bool // known by an outside issuer's word alone
	// EmailVerified says whether an outside issuer vouches for Email.
	EmailVerified bool
	// SessionID is that of who has signed in here; the nil UUID for who has not.
	SessionID uuid.UUID
	// SignedInAt is when he last proved who he is; zero where that is not known.
	SignedInAt time.Time
	IssuedAt   time.Time // of the token; zero where it does not say
	// ExpiresAt is when the token ends; zero where it does not say.
	ExpiresAt time.Time

	// TokenID is that of the API token that was shown; the nil UUID for any other credential.
	TokenID uuid.UUID
	// Scopes are what an API token may do; nil for any other credential, which may do all.
	Scopes []Scope
	// Lists are those that an API token is restricted to, as far as the user is a member of
	// them; nil for all that he is a member of. To another service they are told with the
	// request (package membership), and are none here.
	Lists []uuid.UUID
	// Operator says that he asks for what is for operators, and is one: task-api looks each
	// time, and tells the other services with the request.
	Operator bool
}

// Restricted says whether the caller sees some lists alone, and nothing that is in none.
func (c Caller) Restricted() bool { return c.Lists != nil }

// Verifier checks tokens. Each kind of key accepts its own algorithm only, so
// that a public key can never be mistaken for a shared secret.
type Verifier struct {
	sources []source
	known   known
}

// source is one issuer's keys, with the algorithms that they may be used for.
type source struct {
	keys     jwt.Keyfunc
	methods  []string
	issuer   string // required iss, if any
	audience string // required aud, if any
	not      string // aud that is refused, if any
	strict   bool   // no longer valid than it says, though clocks differ
	outside  bool
	ownIDs   bool // sub, where it is a UUID, is the user's id
	passed   bool // its tokens come with requests that task-api passes on
}

// NewVerifier accepts the tokens that own verifies (task-api's own keys) and
// those of the outside issuer, if there is one.
func NewVerifier(ctx context.Context, s Settings, outside OutsideSettings, own jwt.Keyfunc, log *slog.Logger) (*Verifier, error) {
	v := &Verifier{sources: []source{{keys: own, methods: []string{"EdDSA"}, issuer: s.Issuer, audience: s.Audience, not: s.ServiceAudience(), ownIDs: true}}}
	if outside.Secret != "" {
		secret := []byte(outside.Secret)
		v.sources = append(v.sources, source{
			keys:    func(*jwt.Token) (any, error) { return secret, nil },
			methods: []string{"HS256"}, issuer: outside.Issuer, audience: outside.Audience, outside: true, ownIDs: true,
		})
	}
	if outside.JWKSURL != "" {
		keys, err := RemoteKeys(ctx, outside.JWKSURL, nil, log)
		if err != nil {
			return nil, fmt.Errorf("JWT_JWKS_URL: %w", err)
		}
		v.sources = append(v.sources, source{
			keys:    keys,
			methods: []string{"EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"},
			// Never without an audience: what the issuer made for another
			// application would sign in here.
			issuer: outside.Issuer, audience: cmp.Or(outside.Audience, s.Audience), outside: true,
		})
	}
	return v, nil
}

// NewConsumerVerifier accepts the tokens that task-api hands on with a request, and no
// others. It reads task-api's keys
// through the sidecar at a URL; the service starts without them, and asks again
// as soon as a token needs one.
func NewConsumerVerifier(ctx context.Context, s Settings, sidecar, daprToken string, log *slog.Logger) (*Verifier, error) {
	url := s.TaskAPIJWKSURL
	if url == "" {
		url = sidecar + "/v1.0/invoke/task-api/method/.well-known/jwks.json"
	}
	header := http.Header{}
	if daprToken != "" {
		header.Set("dapr-api-token", daprToken)
	}
	own, err := RemoteKeys(ctx, url, header, log)
	if err != nil {
		return nil, err
	}
	// What is handed on lives for a minute, of which a request needs a moment: there is
	// nothing to be lenient about.
	return &Verifier{sources: []source{{keys: own, methods: []string{"EdDSA"}, issuer: s.Issuer, audience: s.ServiceAudience(), strict: true, ownIDs: true, passed: true}}}, nil
}

// ErrNoKeys says that a token can not be checked: the keys could not be read yet.
var ErrNoKeys = errors.New("the token keys could not be read yet")

// RemoteKeys reads a JSON Web Key Set (RFC 7517) from url, again every hour,
// and at once, though at most every second, when a token names a key that is
// not known. Until there are any, the answer is ErrNoKeys.
func RemoteKeys(ctx context.Context, url string, header http.Header, log *slog.Logger) (jwt.Keyfunc, error) {
	away := &outage.Outage{Log: log, Gone: "could not read the token keys", Back: "the token keys are read again"}
	client := &http.Client{Timeout: 5 * time.Second, Transport: withHeader{header, http.DefaultTransport, away}}
	storage, err := jwkset.NewStorageFromHTTP(url, jwkset.HTTPClientStorageOptions{
		Client: client, Ctx: ctx, HTTPTimeout: 5 * time.Second,
		NoErrorReturnFirstHTTPReq: true,
		RefreshInterval:           time.Hour,
		RefreshErrorHandler: func(ctx context.Context, err error) {
			away.Failed(ctx, err)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("read the token keys: %w", err)
	}
	set, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{url: storage},
		RefreshUnknownKID: rate.NewLimiter(rate.Every(time.Second), 5),
		RateLimitWaitMax:  time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("read the token keys: %w", err)
	}
	keys, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: set})
	if err != nil {
		return nil, fmt.Errorf("read the token keys: %w", err)
	}
	return func(token *jwt.Token) (any, error) {
		key, err := keys.Keyfunc(token)
		if err == nil {
			return key, nil
		}
		if known, listErr := storage.KeyReadAll(ctx); listErr == nil && len(known) == 0 {
			err = errors.Join(ErrNoKeys, err)
		}
		return nil, err
	}, nil
}

// withHeader sends a header with each request, and takes note of those that succeed.
type withHeader struct {
	header http.Header
	next   http.RoundTripper
	away   *outage.Outage
}

func (t withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for k, v := range t.header {
		r.Header[k] = v
	}
	res, err := t.next.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusOK {
		t.away.Worked()
	}
	return res, err
}

// outsideSpace is the UUID namespace of users whose outside id is no UUID.
var outsideSpace = uuid.MustParse("b7a3c3f1-7d43-4b0e-8f57-9a0d4e1c6f02")

// Verify checks a token and says whose it is. The error is for the log; the
// client learns only that the token is not accepted. A token that was accepted is
// not checked again for a minute, nor longer than it is valid.
func (v *Verifier) Verify(token string) (Caller, error) {
	sum, now := sha256.Sum256([]byte(token)), time.Now()
	if caller, ok := v.known.get(sum, now); ok {
		return caller, nil
	}
	caller, expires, err := v.verify(token)
	if err == nil {
		caller.ExpiresAt = expires
		v.known.put(sum, knownCaller{caller, expires}, now)
	}
	return caller, err
}

func (v *Verifier) verify(token string) (Caller, time.Time, error) {
	var errs []error
	for _, s := range v.sources {
		var claims Claims
		options := []jwt.ParserOption{
			jwt.WithValidMethods(s.methods), jwt.WithExpirationRequired(),
		}
		if !s.strict {
			options = append(options, jwt.WithLeeway(5*time.Second))
		}
		if s.issuer != "" {
			options = append(options, jwt.WithIssuer(s.issuer))
		}
		if s.audience != "" {
			options = append(options, jwt.WithAudience(s.audience))
		}
		if _, err := jwt.ParseWithClaims(token, &claims, s.keys, options...); err != nil {
			errs = append(errs, err)
			continue
		}
		if s.not != "" && slices.Contains(claims.Audience, s.not) {
			errs = append(errs, errors.New("the token is for another service"))
			continue
		}
		if claims.Subject == "" || len(claims.Subject) > 200 || !database.Storable(claims.Subject) || len(claims.Email) > 254 || !database.Storable(claims.Email) {
			errs = append(errs, errors.New("the token's sub or email is missing or unusable"))
			continue
		}
		id, err := uuid.Parse(claims.Subject)
		if err != nil || !s.ownIDs {
			id = uuid.NewSHA1(outsideSpace, []byte(claims.Issuer+"\x00"+claims.Subject))
		}
		caller := Caller{UserID: id, Email: claims.Email, Outside: s.outside}
		if s.outside {
			// Whoever holds a shared secret is trusted as the suite itself is.
			caller.EmailVerified = claims.EmailVerified == true || claims.EmailVerified == "true" || s.ownIDs && claims.EmailVerified == nil
		} else {
			caller.SessionID, caller.Operator = claims.SessionID, s.passed && claims.Operator
			if claims.ListsAlone {
				caller.Lists = []uuid.UUID{}
			}
		}
		if claims.IssuedAt != nil {
			caller.IssuedAt = claims.IssuedAt.UTC()
			caller.SignedInAt = caller.IssuedAt
		}
		return caller, claims.ExpiresAt.Time, nil
	}
	return Caller{}, time.Time{}, errors.Join(append(errs, ErrRefused)...)
}

type callerKey struct{}

// CallerOf is the user of the request that ctx belongs to. It is the zero
// Caller on a route without Middleware.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// WithCaller returns ctx as a request of c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// ErrRefused says that a credential is none, or none any more.
var ErrRefused = errors.New("the credential is not valid, or no longer")

// Middleware admits requests with a valid token (see Guard).
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return Guard(func(_ context.Context, token string) (Caller, error) { return v.Verify(token) }, httpapi.Failures{}, next)
}

// Guard admits requests with a credential that resolve knows, as Authorization: Bearer, in
// the cookie, or, if it is an API token, as the password of Authorization: Basic, and answers 401 to all that it refuses (ErrRefused); 503 while tokens can
// not be checked (ErrNoKeys). What else fails is answered as failures has it.
func Guard(resolve func(ctx context.Context, credential string) (Caller, error), failures httpapi.Failures, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		credential, ok := Credential(r)
		if !ok {
			unauthorized(w, r, "sign in: send a token as Authorization: Bearer, or the cookie "+Cookie)
			return
		}
		caller, err := resolve(r.Context(), credential)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), caller)))
		case errors.Is(err, ErrNoKeys):
			// Not 401: a client would throw a good token away.
			httpapi.Unavailable("tokens can not be checked at the moment; try again").Write(w, r)
		case errors.Is(err, ErrRefused):
			unauthorized(w, r, "the token is not valid, or no longer; sign in again")
		default:
			failures.Write(w, r, err)
		}
	})
}

// Credential is what a request shows to say whose it is; false where there is nothing that
// could say so.
func Credential(r *http.Request) (string, bool) {
	cookie, err := r.Cookie(Cookie)
	if err != nil {
		cookie = new(http.Cookie)
	}
	return CredentialOf(r.Header.Get("Authorization"), cookie.Value)
}

// CredentialOf is the credential in a request's Authorization or, without one, its cookie;
// false where neither could be one. HTTP Basic (RFC 7617) is for API tokens alone, as the
// password, whatever the name: programs that know nothing else keep the password of no
// account, and no session.
func CredentialOf(authorization, cookie string) (string, bool) {
	if authorization == "" {
		return cookie, cookie != ""
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token), true
	}
	_, password, ok := (&http.Request{Header: http.Header{"Authorization": {authorization}}}).BasicAuth()
	if !ok || !strings.HasPrefix(password, TokenPrefix) {
		return "", false
	}
	return password, true
}

// IsBasic says whether a request has Authorization: Basic. Unlike any other, browsers send
// that of their own accord, once somebody has given them a name and a password.
func IsBasic(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Basic")
}

// The challenges of a 401. Basic is asked for where it was tried alone: browsers would ask
// their users for a name and a password, and no page could keep them from it.
const (
	bearer = `Bearer realm="taskwire"` //nolint:gosec // a challenge, and no token
	basic  = `Basic realm="taskwire", charset="UTF-8"`
)

func unauthorized(w http.ResponseWriter, r *http.Request, detail string) {
	challenge := bearer
	if IsBasic(r) {
		challenge, detail = basic, "send an API token as the password; the name may be any"
	}
	w.Header().Set("WWW-Authenticate", challenge)
	httpapi.NewProblem(httpapi.Unauthenticated, detail).Write(w, r)
}

// OperatorOnly admits requests that task-api passes on for an operator (Verifier.Middleware
// comes first). For all others there is nothing here.
func OperatorOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !CallerOf(r.Context()).Operator {
			httpapi.NothingHere().Write(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// SidecarOnly admits requests that carry the token which the own sidecar was
// started with (APP_API_TOKEN), and answers 403 to all others.
func SidecarOnly(token string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !httpapi.IsSidecar(r, token) {
				httpapi.NewProblem(httpapi.SidecarOnly, "this address is for the sidecar alone").Write(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
