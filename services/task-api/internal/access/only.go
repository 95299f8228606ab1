package access

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// within narrows a condition on rows of task.members, called m, to the lists that the actor
// is restricted to. They are one text: statements that are sent later take no lists.
func (a Actor) within(c Condition) Condition {
	if a.Only == nil {
		return c
	}
	ids := make([]string, len(a.Only))
	for i, id := range a.Only {
		ids[i] = id.String()
	}
	return c.And("m.list_id = ANY (?::uuid[])", "{"+strings.Join(ids, ",")+"}")
}

// Reaches says whether a list is none that the actor is kept from, by the token that he
// shows. Whether he is a member of it is another question.
func (a Actor) Reaches(list uuid.UUID) bool { return a.Only == nil || slices.Contains(a.Only, list) }

// MakesLists refuses an actor who is restricted to lists that there are.
func (a Actor) MakesLists() error {
	if a.Only != nil {
		return refuse.Because(refuse.NotForTokens, "the API token is for some lists alone, which a new one would not be among")
	}
	return nil
}

// ChangesLists refuses an actor who may not change lists themselves, where something that
// is asked for otherwise, such as to restore or to undo, turns out to be about one.
func (a Actor) ChangesLists() error {
	if a.LeavesLists {
		return refuse.Because(refuse.ScopeMissing, "this is about a list: the API token lacks the scope lists:write")
	}
	return nil
}
