package series

// found are the sequences in which something was wrong once, made as short as they
// could be, and first those that show what is done here.
var found = []struct {
	name  string
	steps []string
}{
	{"complete, and what follows", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=Europe/Berlin", "complete A1", "deliver A1.1", "deliver A1.2", "complete A2", "drain",
	}},
	{"recurring-task is killed after task-api has acted", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "deliver killed A1.2", "drain",
	}},
	{"task-api is killed while a task is completed", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "subtask A1", "crash complete A1", "drain", "complete A1", "drain",
	}},
	{"task-api is killed while an occurrence is skipped", []string{
		"create rule=FREQ=DAILY;COUNT=3 due=3d09:00 zone=UTC", "crash skip A1", "drain", "skip A2", "drain",
	}},
	{"complete, reopen, delete the second, complete", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "drain", "reopen A1", "complete A1", "drain", "delete A2", "reopen A1", "complete A1", "drain",
	}},
	{"complete and delete at once", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "delete A1", "drain",
	}},
	{"delete while the completion is being followed", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "delete A1 || deliver A1.2", "drain",
	}},
	{"reopen while the completion is being followed", []string{
		"create rule=FREQ=WEEKLY due=3d09:00 zone=UTC", "complete A1", "reopen A1 || deliver A1.2", "complete A1", "drain",
	}},
	{"a completion that is delivered twice at once", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "twice A1.2", "drain",
	}},
	{"the second completion is delivered before the first", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "reopen A1", "complete A1", "deliver A1.4", "deliver A1.3", "deliver A1.2", "drain",
	}},
	{"what is taken back is told of late", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "deliver A1.2", "reopen A1", "deliver A2.2", "deliver A2.1", "deliver A1.3", "drain",
	}},
	{"an open checklist, and three completions", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "subtask A1", "complete A1", "drain", "complete A2", "drain", "complete A3", "drain",
	}},
	{"COUNT, when policies, zone and form change on the second", []string{
		"create rule=FREQ=DAILY;COUNT=4 due=3d09:00 zone=Europe/Berlin", "complete A1", "drain", "policy A2 missed=all", "policy A2 dst_gap=skip", "zone A2 Asia/Tokyo", "allday A2 on",
		"complete A2", "drain", "complete A3", "drain", "complete A4", "drain",
	}},
	{"COUNT, when all that follow are moved", []string{
		"create rule=FREQ=WEEKLY;COUNT=3 due=3d09:00 zone=UTC", "complete A1", "drain", "following A2 36h", "complete A2", "drain", "complete A3", "drain",
	}},
	{"after the completion, done three weeks early", []string{
		"create rule=FREQ=DAILY;INTERVAL=5 basis=completion due=21d09:00 zone=UTC", "complete A1", "drain", "skip A2", "drain",
	}},
	{"an id that a task had that was moved, and then deleted", []string{
		"create rule=FREQ=DAILY due=-10d09:00 zone=Asia/Kolkata basis=completion", "complete A1", "drain", "following A2 24h", "skip A2", "complete A3", "drain",
	}},
	{"an id that a task had that was moved back and deleted, when the one before it is done again", []string{
		"create rule=FREQ=MONTHLY due=-32d23:30 zone=Europe/Berlin", "complete A1", "deliver A1.2", "following A2 -1h", "reopen A1", "delete A2", "complete A1", "drain",
	}},
	{"what was taken back comes again as itself, also where its date's id was another's", []string{
		"create rule=FREQ=MONTHLY;BYMONTHDAY=31 due=4d09:00 zone=Asia/Tokyo allday", "skip A1", "following A2 -48h", "complete A2", "deliver A2.3", "reopen A2", "complete A2", "drain",
	}},
	{"a subtask that moved along with its parent is not touched by that", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "subtask A1 rule=FREQ=DAILY due=3d09:00", "complete B1", "deliver B1.2", "complete A1", "deliver A1.2", "reopen B1", "drain",
	}},
	{"a date that was deleted, seen from another zone", []string{
		"create rule=FREQ=WEEKLY;COUNT=2 due=-4d23:30 zone=America/New_York", "complete A1", "deliver A1.2", "delete A2", "reopen A1", "zone A1 Europe/Berlin", "complete A1", "drain",
	}},
	{"a date that was skipped in another zone than the one before it is in", []string{
		"create rule=FREQ=MONTHLY;COUNT=4 due=19d23:30 zone=America/New_York", "complete A1", "drain", "zone A2 Asia/Kolkata", "skip A2", "complete A3", "drain", "reopen A1", "complete A1", "delete A4", "drain",
	}},
	{"moved to a date that was taken back, with all that follow", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "complete A1", "drain", "reopen A1", "following A1 24h", "complete A1", "drain", "complete A2", "drain",
	}},
	{"an id that a task had that has left for a series of its own, and was deleted there", []string{
		"create rule=FREQ=DAILY due=14d09:00 zone=UTC", "complete A1", "drain", "complete A2", "drain", "delete A1", "following A3 -48h", "delete A3", "reopen A2", "complete A2", "drain",
	}},
	{"a date that was done at a time, when the series is all-day", []string{
		"create rule=FREQ=WEEKLY;BYDAY=MO,TH due=-2d02:30 zone=Asia/Kolkata basis=completion", "complete A1", "drain", "complete A2", "drain", "skip A3", "allday A4 on", "complete A4", "drain",
	}},
	{"an all-day date that was deleted is the same date in another zone, and no other", []string{
		"create rule=FREQ=DAILY due=-14d00:00 zone=Pacific/Auckland allday", "complete A1", "drain", "delete A2", "reopen A1", "zone A1 America/New_York", "complete A1", "drain",
	}},
	{"the parent's open occurrence is deleted while a subtask is followed", []string{
		"create rule=FREQ=DAILY due=3d09:00 zone=UTC", "subtask A1 rule=FREQ=DAILY due=3d09:00", "complete B1", "complete A1", "deliver A1.2", "delete A2 || deliver B1.2", "drain",
	}},
	{"another policy, by which other dates would have been there before", []string{
		"create rule=FREQ=MONTHLY;COUNT=5 due=-26d23:30 zone=Europe/Berlin", "complete A1", "deliver A1.2", "complete A2", "drain",
		"policy A3 month_end=skip", "complete A3", "deliver A3.2 A3.3 A2.3 A4.1", "complete A4", "deliver A4.2", "skip A5", "drain",
	}},
	{"the parent is skipped before its subtask, which is done, is followed", []string{
		"create rule=FREQ=WEEKLY due=3d09:00 zone=UTC", "subtask A1 rule=FREQ=DAILY due=2d09:00", "complete B1", "skip A1", "drain",
	}},
	{"two done subtasks of a series are followed by one when their parent is", []string{
		"create rule=FREQ=MONTHLY;COUNT=2 due=9d02:30 zone=Pacific/Auckland missed=all", "subtask A1 rule=FREQ=DAILY;INTERVAL=3 due=-26d09:00", "complete B1", "deliver B1.2",
		"complete A1", "complete B2", "reopen B1", "skip B1", "complete B3", "deliver A1.2", "complete B4",
	}},
	{"the parent is deleted, done, before its subtask is followed", []string{
		"create rule=FREQ=WEEKLY due=3d09:00 zone=UTC", "subtask A1 rule=FREQ=DAILY due=2d09:00", "complete B1", "complete A1", "delete A1", "drain",
	}},
}
