package httpapi

import "net/http"

// Kind is a kind of problem. Clients tell problems apart by its Code, which is the
// last part of a problem's type: it never changes.
type Kind struct {
	Code   string `json:"code" doc:"The last part of the problem's type" example:"not-found"`
	Status int    `json:"status" doc:"The HTTP status that it comes with" example:"404"`
	Title  string `json:"title" doc:"What it is" example:"There is no such thing"`
	Help   string `json:"help" doc:"What to do about it" example:"Look at the id: it does not exist, or is not yours."`
}

// The kinds of problem of the whole suite, by status. docs/problems.md shows them.
var (
	Malformed      = kind(http.StatusBadRequest, "malformed", "The request can not be read", "Send a body that is JSON (RFC 8259), whole.")
	SignInNotBegun = kind(http.StatusBadRequest, "sign-in-not-begun", "This browser has not begun this sign-in, or too long ago", "Begin again.")

	Unauthenticated      = kind(http.StatusUnauthorized, "unauthenticated", "Nobody is signed in", "Sign in, and send the token as Authorization: Bearer or in the cookie.")
	WrongPassword        = kind(http.StatusUnauthorized, "wrong-password", "E-mail address or password are wrong", "Try another password.")
	WrongCode            = kind(http.StatusUnauthorized, "wrong-code", "The code is wrong, or was used before", "Send the next code that your application shows, or a recovery code that was not used.")
	SecondFactorRequired = kind(http.StatusUnauthorized, "second-factor-required", "The password is right, and a code is needed", "Send a code of your application, or a recovery code, with the password.")
	WrongPasskey         = kind(http.StatusUnauthorized, "wrong-passkey", "The passkey signs nobody in", "Try another one, or sign in with your password.")
	ProviderRefused      = kind(http.StatusUnauthorized, "provider-refused", "The provider has not signed you in", "Begin again.")

	ForeignOrigin      = kind(http.StatusForbidden, "foreign-origin", "A page of another origin asked", "Send a token as Authorization: Bearer instead of the cookie.")
	SidecarOnly        = kind(http.StatusForbidden, "sidecar-only", "This address is for the sidecar", "Ask task-api.")
	ReadOnly           = kind(http.StatusForbidden, "read-only", "You may read this, not change it", "Ask an owner of the list for another role.")
	OwnersOnly         = kind(http.StatusForbidden, "owners-only", "Only an owner of the list may do this", "Ask an owner of the list.")
	AuthorsOnly        = kind(http.StatusForbidden, "authors-only", "Somebody else wrote this", "Ask who wrote it; an owner of the list can delete it.")
	SignInAgain        = kind(http.StatusForbidden, "sign-in-again", "You have signed in too long ago for this", "Sign in again, and send the request once more.")
	AddressUnverified  = kind(http.StatusForbidden, "address-unverified", "The e-mail address has not been verified", "Follow the link in the mail that went there, or ask for another with POST /api/auth/verify/resend.")
	AccountBlocked     = kind(http.StatusForbidden, "account-blocked", "The account is blocked", "Ask the operator.")
	RegistrationClosed = kind(http.StatusForbidden, "registration-closed", "Accounts are not for everybody to make here", "Ask the operator for an invitation.")
	LimitReached       = kind(http.StatusForbidden, "limit-reached", "There are as many as there can be", "Take away one that is not needed, or ask the operator for more.")
	ScopeMissing       = kind(http.StatusForbidden, "scope-missing", "The API token may not do this", "Use a token that has the scope which the detail names.")
	NotForTokens       = kind(http.StatusForbidden, "not-for-tokens", "No such API token may do this", "Sign in; what concerns more than the lists of a token needs one for all lists, or a sign-in.")

	Missing       = kind(http.StatusNotFound, "not-found", "There is no such thing", "Look at the id: it does not exist, or is not yours.")
	NoSuchAddress = kind(http.StatusNotFound, "no-such-address", "There is nothing at this address", "See /openapi.json for what there is.")

	NoSuchMethod = kind(http.StatusMethodNotAllowed, "method-not-allowed", "This method is not possible here", "Use one of those that the header Allow lists.")

	TooSlow = kind(http.StatusRequestTimeout, "body-too-slow", "The request body did not come in time", "Send it again.")

	EmailTaken         = kind(http.StatusConflict, "email-taken", "There is an account with this e-mail address", "Sign in, or use another address.")
	LinkFirst          = kind(http.StatusConflict, "link-first", "The account at the provider is linked to none here", "Sign in with your password, and link the provider to your account.")
	IdentityTaken      = kind(http.StatusConflict, "identity-taken", "The account at the provider is linked to somebody's account", "Sign in by it, and remove the link there.")
	LastWayIn          = kind(http.StatusConflict, "last-way-in", "You could not sign in any more", "Set a password, link another provider or add a passkey first.")
	SecondFactorExists = kind(http.StatusConflict, "second-factor-exists", "The account has a second factor", "Remove it first.")
	NotRecurring       = kind(http.StatusConflict, "not-recurring", "The task does not recur", "Complete or delete it instead.")
	NotComplete        = kind(http.StatusConflict, "not-complete", "The occurrence is open", "Nothing: only services are told, which ask for what follows it.")
	AlreadyComplete    = kind(http.StatusConflict, "already-complete", "The occurrence is complete", "Reopen it, or change the one that followed it.")
	AlreadyFollowed    = kind(http.StatusConflict, "already-followed", "The occurrence has been followed", "Nothing: only services are told, which ask for what follows it.")
	InTrash            = kind(http.StatusConflict, "in-trash", "It is in the trash", "Restore it from there, or use another id.")
	IDTaken            = kind(http.StatusConflict, "id-taken", "The id is that of something else", "Use another id.")
	PrivateInbox       = kind(http.StatusConflict, "private-inbox", "An inbox is its owner's alone", "Make a list, and share that.")
	AlreadyMember      = kind(http.StatusConflict, "already-member", "Who has this address is a member of the list", "Change the member's role instead.")
	LastOwner          = kind(http.StatusConflict, "last-owner", "A list keeps at least one owner", "Make somebody else an owner first.")
	ChangedSince       = kind(http.StatusConflict, "changed-since", "What would be undone has been changed since", "See errors, which name the fields; change them by hand, or undo what has changed them first.")
	NotUndoable        = kind(http.StatusConflict, "not-undoable", "This can not be undone", "Do the opposite by hand.")
	LastOccurrence     = kind(http.StatusConflict, "last-occurrence", "Nothing follows the last occurrence of a rule", "Complete it, or delete it to end the series.")

	ResyncRequired = kind(http.StatusGone, "resync-required", "The place in the feed is not known any more", "Read /api/snapshot, and go on from the place in its first line.")

	TaskChanged = kind(http.StatusPreconditionFailed, "task-changed", "The task is no longer the version that the change is meant for", "Read it again, and send the change with its new ETag.")
	ListChanged = kind(http.StatusPreconditionFailed, "list-changed", "The list is no longer the version that the change is meant for", "Read it again, and send the change with its new ETag.")

	TooLarge = kind(http.StatusRequestEntityTooLarge, "body-too-large", "The request body is too large", "Send less: 1 MiB at most.")

	UnsupportedType = kind(http.StatusUnsupportedMediaType, "unsupported-media-type", "The request body is of a type that is not read here", "Send application/json.")

	Unprocessable = kind(http.StatusUnprocessableEntity, "invalid", "Something in the request can not be", "See errors: each names a place of the request and what is wrong there.")
	KeyUsed       = kind(http.StatusUnprocessableEntity, "idempotency-key-used", "The Idempotency-Key was used for another request", "Use a new key for each new request.")

	TooManyRequests = kind(http.StatusTooManyRequests, "too-many-requests", "There were too many requests", "Wait as many seconds as Retry-After says.")
	TooManyAttempts = kind(http.StatusTooManyRequests, "too-many-attempts", "There were too many attempts to sign in or to register", "Wait as many seconds as Retry-After says.")

	ClientGone = kind(statusGone, "client-gone", "The client closed the request", "Nothing: only logs and metrics see it.")

	Internal = kind(http.StatusInternalServerError, "internal", "The server failed", "Try again; name the request_id to the operator if it stays so.")

	Busy = kind(http.StatusServiceUnavailable, "unavailable", "A part of the suite is not there or has no room at the moment", "Try again after as many seconds as Retry-After says.")
)

var kinds []Kind

func kind(status int, code, title, help string) Kind {
	k := Kind{Code: code, Status: status, Title: title, Help: help}
	kinds = append(kinds, k)
	return k
}

// Kinds are all of them, by status.
func Kinds() []Kind { return kinds }

// KindOf is the kind with a code.
func KindOf(code string) (Kind, bool) {
	for _, k := range kinds {
		if k.Code == code {
			return k, true
		}
	}
	return Kind{}, false
}

// ofStatus is the kind of a problem that huma has found, of which it says no more
// than the status.
func ofStatus(status int) Kind {
	for _, k := range []Kind{Malformed, Missing, TooSlow, TooLarge, UnsupportedType, Unprocessable} {
		if k.Status == status {
			return k
		}
	}
	return Internal
}
