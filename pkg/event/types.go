package event

// The actions on accounts that audit events record.
const (
	UserRegistered   = "user.registered"
	UserUpdated      = "user.updated"
	UserSignedIn     = "user.signed_in"
	UserSignInFailed = "user.sign_in_failed"
	// UserSignedOut is when a session ends: by itself, or from another one.
	UserSignedOut       = "user.signed_out"
	UserPasswordChanged = "user.password_changed"
	// UserVerified is when it was shown that the address of an account is its user's.
	UserVerified = "user.verified"
	// By an operator.
	UserInvited      = "user.invited"
	UserBlocked      = "user.blocked"
	UserUnblocked    = "user.unblocked"
	UserTokenCreated = "user.token_created" //nolint:gosec // what is done with a token, and none
	UserTokenRevoked = "user.token_revoked" //nolint:gosec // as above
	// Codes that a sign-in with the password asks for.
	UserSecondFactorAdded   = "user.second_factor_added"
	UserSecondFactorRemoved = "user.second_factor_removed"
	// Who an OpenID provider says that a user is.
	UserIdentityAdded   = "user.identity_added"
	UserIdentityRemoved = "user.identity_removed"
	// Keys of a user's devices that sign him in.
	UserPasskeyAdded   = "user.passkey_added"
	UserPasskeyRemoved = "user.passkey_removed" //nolint:gosec // what is done with a passkey, and none

	// UserErasureAsked is when a user has asked to be erased, UserErasureCalledBack when he
	// wants to stay after all, and UserErased when task-api has nothing of him any more.
	UserErasureAsked      = "user.erasure_asked"
	UserErasureCalledBack = "user.erasure_called_back"
	UserErased            = "user.erased"

	// By an operator's command: who sees the operator's corner.
	UserOperatorGranted = "user.operator_granted"
	UserOperatorRevoked = "user.operator_revoked"
	// What an operator has asked a service for, in that corner.
	UserReplayAsked  = "user.replay_asked"
	UserDiscardAsked = "user.discard_asked"
)

// TaskPurged is when a task in the trash is gone for good: told to the audit trail alone.
const TaskPurged = "task.purged"

// The actions on lists and their members that audit events record.
const (
	ListCreated = "list.created"
	ListUpdated = "list.updated"
	// In the trash, back from there, and gone for good.
	ListDeleted  = "list.deleted"
	ListRestored = "list.restored"
	ListPurged   = "list.purged"

	MemberInvited  = "member.invited"
	MemberJoined   = "member.joined"
	MemberDeclined = "member.declined"
	MemberUpdated  = "member.updated"
	MemberRemoved  = "member.removed"
)

// The actions on comments that audit events record.
const (
	CommentCreated = "comment.created"
	CommentUpdated = "comment.updated"
	CommentDeleted = "comment.deleted"
)

// Type is a type of event: where it is published and when.
type Type struct{ Name, Topic, When string }

// Types lists every type of event.
var Types = []Type{
	{TaskCreated, TopicTasks, "A task was created, by a user or as the next occurrence."},
	{TaskUpdated, TopicTasks, "A task was changed, or reopened."},
	{TaskCompleted, TopicTasks, "A task became complete."},
	{TaskDeleted, TopicTasks, "A task was deleted."},
	{TaskRestored, TopicTasks, "A task came back from the trash."},
	{AccountErased, TopicTasks, "An account was erased: what a consumer has of it has to go."},
	{ReminderDue, TopicReminders, "The moment of a reminder came."},
	{CommentAdded, TopicReminders, "A comment was added: one event for each person who is to be told."},
	{AccountVerify, TopicReminders, "A mail is to ask whether an address is its user's."},
	{AccountReset, TopicReminders, "A mail is to let somebody set a new password."},
	{AccountNotice, TopicReminders, "A mail is to tell somebody what happened to their account."},
	{ListInvited, TopicReminders, "A mail is to tell somebody that they are invited to a list."},
	{AuditPrefix + TaskCreated, TopicAudit, "A task was created."},
	{AuditPrefix + TaskUpdated, TopicAudit, "A task was changed, or reopened."},
	{AuditPrefix + TaskCompleted, TopicAudit, "A task became complete."},
	{AuditPrefix + TaskDeleted, TopicAudit, "A task was deleted."},
	{AuditPrefix + TaskRestored, TopicAudit, "A task came back from the trash."},
	{AuditPrefix + TaskPurged, TopicAudit, "A task in the trash is gone for good."},
	{AuditPrefix + ListCreated, TopicAudit, "A list was made."},
	{AuditPrefix + ListUpdated, TopicAudit, "A list was changed, or moved in its member's order."},
	{AuditPrefix + ListDeleted, TopicAudit, "A list went into the trash, with its tasks."},
	{AuditPrefix + ListRestored, TopicAudit, "A list came back from the trash."},
	{AuditPrefix + ListPurged, TopicAudit, "A list in the trash is gone for good."},
	{AuditPrefix + MemberInvited, TopicAudit, "Somebody was invited to a list."},
	{AuditPrefix + MemberJoined, TopicAudit, "Somebody accepted an invitation to a list."},
	{AuditPrefix + MemberDeclined, TopicAudit, "An invitation to a list was declined, or taken back."},
	{AuditPrefix + MemberUpdated, TopicAudit, "A member of a list got another role."},
	{AuditPrefix + MemberRemoved, TopicAudit, "A member left a list, or was taken out of it."},
	{AuditPrefix + CommentCreated, TopicAudit, "A task was commented on."},
	{AuditPrefix + CommentUpdated, TopicAudit, "A comment was changed by its author."},
	{AuditPrefix + CommentDeleted, TopicAudit, "A comment was deleted, by its author or an owner of the list. Those that go with their task have none."},
	{AuditPrefix + UserRegistered, TopicAudit, "An account was created."},
	{AuditPrefix + UserUpdated, TopicAudit, "An account was changed."},
	{AuditPrefix + UserSignedIn, TopicAudit, "An account was used to sign in."},
	{AuditPrefix + UserSignedOut, TopicAudit, "A session of an account ended before its time."},
	{AuditPrefix + UserPasswordChanged, TopicAudit, "The password of an account was changed."},
	{AuditPrefix + UserVerified, TopicAudit, "It was shown that the address of an account is its user's."},
	{AuditPrefix + UserInvited, TopicAudit, "An operator made an account for somebody, who is asked to choose a password."},
	{AuditPrefix + UserBlocked, TopicAudit, "An operator blocked an account: it can not be used any more."},
	{AuditPrefix + UserUnblocked, TopicAudit, "An operator unblocked an account."},
	{AuditPrefix + UserTokenCreated, TopicAudit, "An API token of an account was made."},
	{AuditPrefix + UserTokenRevoked, TopicAudit, "An API token of an account was revoked before its time."},
	{AuditPrefix + UserSecondFactorAdded, TopicAudit, "An account asks for a code at a sign-in with its password from now on."},
	{AuditPrefix + UserSecondFactorRemoved, TopicAudit, "An account asks for no code any more."},
	{AuditPrefix + UserIdentityAdded, TopicAudit, "An account was linked to one at an OpenID provider."},
	{AuditPrefix + UserIdentityRemoved, TopicAudit, "A link of an account to an OpenID provider was removed."},
	{AuditPrefix + UserPasskeyAdded, TopicAudit, "A passkey signs an account in from now on."},
	{AuditPrefix + UserPasskeyRemoved, TopicAudit, "A passkey of an account was removed."},
	{AuditPrefix + UserErasureAsked, TopicAudit, "Somebody has asked for their account to be erased."},
	{AuditPrefix + UserErasureCalledBack, TopicAudit, "An account is to stay after all."},
	{AuditPrefix + UserErased, TopicAudit, "An account was erased: what the audit trail says of it has to go."},
	{AuditPrefix + UserOperatorGranted, TopicAudit, "An account sees the operator's corner from now on."},
	{AuditPrefix + UserOperatorRevoked, TopicAudit, "An account does not see the operator's corner any more."},
	{AuditPrefix + UserReplayAsked, TopicAudit, "An operator asked a service to handle a dead letter again."},
	{AuditPrefix + UserDiscardAsked, TopicAudit, "An operator asked a service to discard a dead letter."},
	{AuditPrefix + UserSignInFailed, TopicAudit, "Somebody failed to sign in to an account."},
}
