// Package refuse is how the domain says no: by an error with a stable code, for
// programs, and words, for people. It knows nothing of the door through which
// the request came; that turns the error into its own words.
package refuse

import "time"

// Code says why something was refused. Codes are stable, and each is that of a kind
// of problem (httpapi.Kinds).
type Code string

// The codes.
const (
	Invalid              Code = "invalid"                // what was sent can not be; Fields say where
	NotFound             Code = "not-found"              // it does not exist, or is not the actor's
	ReadOnly             Code = "read-only"              // the actor may see it, not change it
	OwnersOnly           Code = "owners-only"            // the actor is a member of the list, and no owner
	AuthorsOnly          Code = "authors-only"           // the actor may see it, and somebody else wrote it
	InTrash              Code = "in-trash"               // what would be made again
	IDTaken              Code = "id-taken"               // by something else
	PrivateInbox         Code = "private-inbox"          // which can not be shared
	AlreadyMember        Code = "already-member"         // of the list
	LastOwner            Code = "last-owner"             // of a list, which keeps one
	ScopeMissing         Code = "scope-missing"          // of the API token that was shown
	NotForTokens         Code = "not-for-tokens"         // or for none that is for some lists alone
	LimitReached         Code = "limit-reached"          // of how many there may be
	ListChanged          Code = "list-changed"           // since the version that the change is meant for
	KeyUsed              Code = "idempotency-key-used"   // the idempotency key, for another request
	TaskChanged          Code = "task-changed"           // since the version that the change is meant for
	ChangedSince         Code = "changed-since"          // by somebody else, what would be undone; Fields say where
	NotUndoable          Code = "not-undoable"           // what the request did
	NotRecurring         Code = "not-recurring"          // the task does not recur (any more)
	NotComplete          Code = "not-complete"           // the occurrence was reopened
	AlreadyComplete      Code = "already-complete"       // the occurrence is done
	AlreadyFollowed      Code = "already-followed"       // by a task that was deleted
	LastOccurrence       Code = "last-occurrence"        // of a rule, which nothing follows
	EmailTaken           Code = "email-taken"            // there is an account with it
	WrongPassword        Code = "wrong-password"         // or there is no such account
	WrongCode            Code = "wrong-code"             // of a second factor
	SecondFactorRequired Code = "second-factor-required" // after the right password
	SecondFactorExists   Code = "second-factor-exists"   // there is one already
	WrongPasskey         Code = "wrong-passkey"          // or what it has signed
	SignInNotBegun       Code = "sign-in-not-begun"      // by this browser, at a provider
	ProviderRefused      Code = "provider-refused"       // whoever comes from it
	LinkFirst            Code = "link-first"             // a provider, to an account
	IdentityTaken        Code = "identity-taken"         // it is linked to somebody's account
	LastWayIn            Code = "last-way-in"            // to the account
	AddressUnverified    Code = "address-unverified"     // nobody has shown yet whose it is
	AccountBlocked       Code = "account-blocked"        // by an operator
	RegistrationClosed   Code = "registration-closed"    // of this address, or at all
	SignInAgain          Code = "sign-in-again"          // the last one is too long ago
	TooManyAttempts      Code = "too-many-attempts"      // to sign in or to register; After says until when
	Busy                 Code = "unavailable"            // it may pass in a moment
)

// Codes are all of them.
var Codes = []Code{Invalid, NotFound, ReadOnly, OwnersOnly, AuthorsOnly, InTrash, IDTaken, PrivateInbox, AlreadyMember, LastOwner, ScopeMissing, NotForTokens, LimitReached, ListChanged, KeyUsed, TaskChanged, ChangedSince, NotUndoable, NotRecurring, NotComplete, AlreadyComplete, AlreadyFollowed, LastOccurrence, EmailTaken, WrongPassword, WrongCode, SecondFactorRequired, SecondFactorExists, WrongPasskey, SignInNotBegun, ProviderRefused, LinkFirst, IdentityTaken, LastWayIn, AddressUnverified, AccountBlocked, RegistrationClosed, SignInAgain, TooManyAttempts, Busy}

// Error refuses what was asked for.
type Error struct {
	Code   Code
	Detail string
	Fields []Field
	After  time.Duration // with TooManyAttempts
}

// Field says what is wrong with one part of what was sent. Name is a path, such as
// recurrence.rrule or reminders[0].at.
type Field struct {
	Name    string
	Message string
}

// Error is the detail.
func (e *Error) Error() string { return e.Detail }

// Because refuses with a code and words.
func Because(code Code, detail string, fields ...Field) *Error {
	return &Error{Code: code, Detail: detail, Fields: fields}
}

// Parts refuses parts of what was sent.
func Parts(fields ...Field) *Error { return Because(Invalid, "validation failed", fields...) }

// Part refuses one part of what was sent.
func Part(name, message string) *Error { return Parts(Field{name, message}) }

// Until refuses what was done too often, for a while.
func Until(after time.Duration, detail string) *Error {
	return &Error{Code: TooManyAttempts, Detail: detail, After: after}
}

// Differs is a part of a thing that is not as a request has left it, or, with "", the
// thing. Target names it as the audit trail does, such as task/ID.
func Differs(target, part, message string) Field {
	if part != "" {
		target += "." + part
	}
	return Field{target, message}
}

// Changed refuses to undo what has been changed since.
func Changed(fields ...Field) *Error {
	return Because(ChangedSince, "it has been changed since, and is left as it is", fields...)
}

// Missing refuses a thing that does not exist, or is not the actor's.
func Missing(what string) *Error { return Because(NotFound, "there is no such "+what) }
