package series

// found are the sequences in which something was wrong once, and those that show
// what the rules say in the shortest way.
var found = []struct {
	name  string
	steps []string
}{
	{"complete, and what follows", []string{"create rule=FREQ=DAILY due=3d09:00 zone=Europe/Berlin", "complete A1", "deliver A1.1", "deliver A1.2", "complete A2", "drain"}},
	{"recurring-task is killed after task-api has acted", []string{"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "deliver killed A1.2", "drain"}},
}
