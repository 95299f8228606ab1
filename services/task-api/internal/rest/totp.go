package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// SecondFactors is the second factors of accounts over HTTP.
type SecondFactors struct {
	Users    *account.Store
	Failures httpapi.Failures
}

// TOTP is what an application needs to show codes.
type TOTP struct {
	Secret string `json:"secret" doc:"For who types it into the application: base 32"`
	URL    string `json:"url" format:"uri" doc:"otpauth: for who shows it to the application as a picture"`
}

// SecondFactor is whether a sign-in asks for a code, and what signs in without one.
type SecondFactor struct {
	Enabled           bool `json:"enabled" doc:"Whether a sign-in with your password asks for a code"`
	RecoveryCodesLeft int  `json:"recovery_codes_left" minimum:"0" doc:"How many of your recovery codes were not used yet"`
}

// TOTPCode is what an application shows.
type TOTPCode struct {
	Code string `json:"code" minLength:"6" maxLength:"6" pattern:"^[0-9]{6}$" doc:"What the application shows now"`
}

// RecoveryCodes are those of a second factor.
type RecoveryCodes struct {
	RecoveryCodes []string `json:"recovery_codes" nullable:"false" doc:"What signs in instead of a code, each once. They are shown this time alone"`
}

// Mount adds the operations.
func (a *SecondFactors) Mount(api huma.API) {
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Accounts"}, Metadata: said}
	}
	say := httpapi.Describe
	forUser(api, a.Failures, operation("get-totp", http.MethodGet, "/api/auth/totp", "Whether you have a second factor",
		"One that was begun and not confirmed is none.", say(nil, SecondFactor{true, 9})), a.get)
	forUser(api, a.Failures, operation("begin-totp", http.MethodPost, "/api/auth/totp", "Begin with a second factor",
		"Nothing asks for a code of it until it is confirmed. To begin again makes another secret.", say(nil, exampleTOTP, httpapi.SignInAgain, httpapi.SecondFactorExists)), a.begin)
	forUser(api, a.Failures, operation("confirm-totp", http.MethodPost, "/api/auth/totp/confirm", "Confirm a second factor",
		"From now on a sign-in with your password asks for a code.", say(TOTPCode{"492039"}, RecoveryCodes{exampleRecoveryCodes}, httpapi.SignInAgain, httpapi.Missing, httpapi.SecondFactorExists)), a.confirm)
	remove := operation("remove-totp", http.MethodDelete, "/api/auth/totp", "Remove your second factor",
		"Your recovery codes go with it. Where there is none, nothing happens.", say(nil, nil, httpapi.SignInAgain))
	remove.DefaultStatus = http.StatusNoContent
	forUser(api, a.Failures, remove, a.remove)
}

func (a *SecondFactors) get(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{ Body SecondFactor }, error) {
	f, err := a.Users.SecondFactor(ctx, actor)
	return &struct{ Body SecondFactor }{SecondFactor{f.Confirmed, f.RecoveryCodesLeft}}, err
}

func (a *SecondFactors) begin(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{ Body TOTP }, error) {
	begun, err := a.Users.BeginTOTP(ctx, actor)
	return &struct{ Body TOTP }{TOTP(begun)}, err
}

func (a *SecondFactors) confirm(ctx context.Context, actor access.Actor, in *struct{ Body TOTPCode }) (*struct{ Body RecoveryCodes }, error) {
	codes, err := a.Users.ConfirmTOTP(ctx, actor, in.Body.Code)
	return &struct{ Body RecoveryCodes }{RecoveryCodes{codes}}, err
}

func (a *SecondFactors) remove(ctx context.Context, actor access.Actor, _ *struct{}) (*struct{}, error) {
	return nil, a.Users.RemoveTOTP(ctx, actor)
}

var (
	exampleTOTP = TOTP{ //nolint:gosec // nobody's
		Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		URL:    "otpauth://totp/taskwire:ada@example.org?algorithm=SHA1&digits=6&issuer=taskwire&period=30&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
	}
	exampleRecoveryCodes = []string{"GEZD-GNBV-GY3T-QOJQ", "MFRG-GZDF-MZTW-Q2LK"}
)
