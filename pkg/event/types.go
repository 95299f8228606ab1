package event

// The actions on accounts that audit events tell of.
const (
	UserRegistered   = "user.registered"
	UserUpdated      = "user.updated"
	UserSignedIn     = "user.signed_in"
	UserSignInFailed = "user.sign_in_failed"
)

// Type is a type of event: where it is published and when.
type Type struct{ Name, Topic, When string }

// Types lists every type of event.
var Types = []Type{
	{TaskCreated, TopicTasks, "A task was created, by a user or as the next occurrence."},
	{TaskUpdated, TopicTasks, "A task was changed, or reopened."},
	{TaskCompleted, TopicTasks, "A task became complete."},
	{TaskDeleted, TopicTasks, "A task was deleted."},
	{ReminderDue, TopicReminders, "The moment of a reminder came."},
	{AuditPrefix + TaskCreated, TopicAudit, "A task was created."},
	{AuditPrefix + TaskUpdated, TopicAudit, "A task was changed, or reopened."},
	{AuditPrefix + TaskCompleted, TopicAudit, "A task became complete."},
	{AuditPrefix + TaskDeleted, TopicAudit, "A task was deleted."},
	{AuditPrefix + UserRegistered, TopicAudit, "An account was created."},
	{AuditPrefix + UserUpdated, TopicAudit, "An account was changed."},
	{AuditPrefix + UserSignedIn, TopicAudit, "An account was used to sign in."},
	{AuditPrefix + UserSignInFailed, TopicAudit, "Somebody failed to sign in to an account."},
}
