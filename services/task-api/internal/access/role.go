package access

import (
	"slices"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Role is what a member may do in a list. Who adds one does so here: the description of
// the API has those that there are, and the database any.
type Role string

// The roles. Each may do what the one before it may.
const (
	Viewer Role = "viewer" // reads
	Editor Role = "editor" // changes tasks
	Owner  Role = "owner"  // changes the list and its members
)

// Roles are all of them.
var Roles = []Role{Viewer, Editor, Owner}

// Known says whether there is such a role.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// Writes says whether the role may change what is in a list.
func (r Role) Writes() bool { return r == Editor || r == Owner }

// Rules says whether the role may change the list itself and its members.
func (r Role) Rules() bool { return r == Owner }

// Ruling are the roles that may: a list has somebody of them.
func Ruling() []Role {
	return slices.DeleteFunc(slices.Clone(Roles), func(r Role) bool { return !r.Rules() })
}

// What a member is told who may not do something.
var (
	ErrReadOnly   = refuse.Because(refuse.ReadOnly, "you may read this list, not change what is in it; ask one of its owners")
	ErrOwnersOnly = refuse.Because(refuse.OwnersOnly, "only an owner of the list may do this")
)

// Inbox is the id of the list that each user has from the start, for himself.
func Inbox(user uuid.UUID) uuid.UUID { return event.InboxID(user) }
