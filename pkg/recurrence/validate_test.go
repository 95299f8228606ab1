package recurrence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

func TestValidateRefuses(t *testing.T) {
	type rule = recurrence.Rule
	rrule := func(s string) rule {
		return rule{RRule: s, Anchor: "2027-01-31T09:00:00", Timezone: "Europe/Berlin"}
	}
	good := rrule("FREQ=DAILY")
	with := func(change func(*rule)) rule { r := good; change(&r); return r }

	for _, tc := range []struct {
		name  string
		rule  rule
		field string
		says  string
	}{
		{"empty", rrule(""), "rrule", "empty"},
		{"10 kB", rrule("FREQ=DAILY;BYMONTH=" + strings.Repeat("1,", 5000) + "1"), "rrule", "500 bytes"},
		{"10 kB of nothing", rrule(strings.Repeat("x", 10_000)), "rrule", "500 bytes"},
		{"no FREQ", rrule("INTERVAL=2"), "rrule", "FREQ is missing"},
		{"hourly", rrule("FREQ=HOURLY"), "rrule", "FREQ must be"},
		{"secondly", rrule("FREQ=SECONDLY"), "rrule", "FREQ must be"},
		{"no such frequency", rrule("FREQ=OFTEN"), "rrule", "FREQ must be"},
		{"empty frequency", rrule("FREQ="), "rrule", "FREQ must be"},
		{"prefix", rrule("RRULE:FREQ=DAILY"), "rrule", "without"},
		{"DTSTART inside", rrule("DTSTART=20270101T000000Z;FREQ=DAILY"), "rrule", "not a part"},
		{"DTSTART line", rrule("DTSTART:20270101T000000Z\nRRULE:FREQ=DAILY"), "rrule", "not a part"},
		{"EXDATE inside", rrule("FREQ=DAILY;EXDATE=20270101"), "rrule", "not a part"},
		{"unknown part", rrule("FREQ=DAILY;X-FOO=1"), "rrule", "not a part"},
		{"BYEASTER", rrule("FREQ=YEARLY;BYEASTER=0"), "rrule", "not a part"},
		{"RFC 7529", rrule("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD"), "rrule", "month_end"},
		{"part twice", rrule("FREQ=DAILY;FREQ=WEEKLY"), "rrule", "twice"},
		{"semicolon at the end", rrule("FREQ=DAILY;"), "rrule", "NAME=VALUE"},
		{"blank", rrule("FREQ=DAILY; INTERVAL=2"), "rrule", "not a part"},
		{"NUL", rrule("FREQ=DAILY\x00"), "rrule", "FREQ must be"},
		{"not UTF-8", rrule("FREQ=DAILY;\xff\xfe=1"), "rrule", "not a part"},
		{"INTERVAL=0", rrule("FREQ=DAILY;INTERVAL=0"), "rrule", "INTERVAL"},
		{"INTERVAL=-1", rrule("FREQ=DAILY;INTERVAL=-1"), "rrule", "INTERVAL"},
		{"INTERVAL=1001", rrule("FREQ=DAILY;INTERVAL=1001"), "rrule", "INTERVAL"},
		{"INTERVAL overflows", rrule("FREQ=DAILY;INTERVAL=99999999999999999999"), "rrule", "INTERVAL"},
		{"INTERVAL=1.5", rrule("FREQ=DAILY;INTERVAL=1.5"), "rrule", "INTERVAL"},
		{"COUNT=0", rrule("FREQ=DAILY;COUNT=0"), "rrule", "COUNT"},
		{"COUNT=+1", rrule("FREQ=DAILY;COUNT=+1"), "rrule", "COUNT"},
		{"COUNT beyond bound", rrule("FREQ=DAILY;COUNT=10001"), "rrule", "COUNT"},
		{"COUNT and UNTIL", rrule("FREQ=DAILY;COUNT=1;UNTIL=20280101"), "rrule", "together"},
		{"UNTIL before the anchor", rrule("FREQ=DAILY;UNTIL=19990101"), "rrule", "before the first due date"},
		{"UNTIL is no date", rrule("FREQ=DAILY;UNTIL=20270230"), "rrule", "UNTIL"},
		{"UNTIL with dashes", rrule("FREQ=DAILY;UNTIL=2027-02-28"), "rrule", "UNTIL"},
		{"UNTIL with a fraction", rrule("FREQ=DAILY;UNTIL=20270228T10000.5Z"), "rrule", "UNTIL"},
		{"WKST", rrule("FREQ=WEEKLY;WKST=XX"), "rrule", "WKST"},
		{"empty BYDAY", rrule("FREQ=WEEKLY;BYDAY="), "rrule", "BYDAY"},
		{"BYDAY=0MO", rrule("FREQ=MONTHLY;BYDAY=0MO"), "rrule", "BYDAY"},
		{"BYDAY=6MO of a month", rrule("FREQ=MONTHLY;BYDAY=6MO"), "rrule", "BYDAY"},
		{"BYDAY=53MO of a month", rrule("FREQ=MONTHLY;BYDAY=53MO"), "rrule", "BYDAY"},
		{"BYDAY=-53MO of a month in a year", rrule("FREQ=YEARLY;BYMONTH=1;BYDAY=-53MO"), "rrule", "BYDAY"},
		{"BYDAY=54MO", rrule("FREQ=YEARLY;BYDAY=54MO"), "rrule", "BYDAY"},
		{"BYDAY with a number, weekly", rrule("FREQ=WEEKLY;BYDAY=1MO"), "rrule", "BYDAY"},
		{"BYDAY with a number and BYWEEKNO", rrule("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO"), "rrule", "BYWEEKNO"},
		{"BYDAY=M", rrule("FREQ=WEEKLY;BYDAY=M"), "rrule", "BYDAY"},
		{"BYDAY=--1MO", rrule("FREQ=MONTHLY;BYDAY=--1MO"), "rrule", "BYDAY"},
		{"BYMONTHDAY=,24", rrule("FREQ=MONTHLY;BYMONTHDAY=,24"), "rrule", "BYMONTHDAY"},
		{"BYMONTHDAY=0", rrule("FREQ=MONTHLY;BYMONTHDAY=0"), "rrule", "BYMONTHDAY"},
		{"BYMONTHDAY=32", rrule("FREQ=MONTHLY;BYMONTHDAY=32"), "rrule", "BYMONTHDAY"},
		{"BYMONTHDAY weekly", rrule("FREQ=WEEKLY;BYMONTHDAY=1"), "rrule", "BYMONTHDAY"},
		{"BYMONTH=13", rrule("FREQ=YEARLY;BYMONTH=13"), "rrule", "BYMONTH"},
		{"BYMONTH=-1", rrule("FREQ=YEARLY;BYMONTH=-1"), "rrule", "BYMONTH"},
		{"BYYEARDAY=367", rrule("FREQ=YEARLY;BYYEARDAY=367"), "rrule", "BYYEARDAY"},
		{"BYYEARDAY monthly", rrule("FREQ=MONTHLY;BYYEARDAY=1"), "rrule", "YEARLY"},
		{"BYWEEKNO=54", rrule("FREQ=YEARLY;BYWEEKNO=54"), "rrule", "BYWEEKNO"},
		{"BYWEEKNO monthly", rrule("FREQ=MONTHLY;BYWEEKNO=1"), "rrule", "YEARLY"},
		{"BYSETPOS alone", rrule("FREQ=MONTHLY;BYSETPOS=1"), "rrule", "BYSETPOS"},
		{"BYSETPOS=0", rrule("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0"), "rrule", "BYSETPOS"},
		{"BYHOUR", rrule("FREQ=DAILY;BYHOUR=9"), "rrule", "time of day"},
		{"BYMINUTE", rrule("FREQ=DAILY;BYMINUTE=9"), "rrule", "time of day"},
		{"BYSECOND", rrule("FREQ=DAILY;BYSECOND=9"), "rrule", "time of day"},
		{"never: 30 February, yearly", rrule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "rrule", "no date"},
		{"never: 30 February, daily", rrule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "rrule", "no date"},
		{"never: 30 February, monthly", rrule("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30,31"), "rrule", "no date"},
		{"never: the sixth Monday", rrule("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6"), "rrule", "no date"},
		{"never: day 366 in odd years", rrule("FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366"), "rrule", "no date"},
		{"never: week 53 in June", rrule("FREQ=YEARLY;BYMONTH=6;BYWEEKNO=53;BYDAY=MO"), "rrule", "no date"},
		{"not in a century", rrule("FREQ=YEARLY;INTERVAL=1000"), "rrule", "no date"},
		{"never: the 31st of February, skipped", with(func(r *rule) { r.RRule, r.MonthEnd = "FREQ=MONTHLY;BYMONTH=2", "skip" }), "rrule", "no date"},

		{"basis", with(func(r *rule) { r.Basis = "never" }), "basis", "completion"},
		{"month_end", with(func(r *rule) { r.MonthEnd = "CLAMP" }), "month_end", "clamp"},
		{"dst_gap", with(func(r *rule) { r.DSTGap = "back" }), "dst_gap", "forward"},
		{"missed", with(func(r *rule) { r.Missed = "some" }), "missed", "collapse"},
		{"no anchor", with(func(r *rule) { r.Anchor = "" }), "anchor", "wall time"},
		{"anchor with a zone", with(func(r *rule) { r.Anchor = "2027-01-31T09:00:00Z" }), "anchor", "wall time"},
		{"anchor in 1899", with(func(r *rule) { r.Anchor = "1899-01-31T09:00:00" }), "anchor", "year"},
		{"anchor in 9999", with(func(r *rule) { r.Anchor = "9999-12-31T09:00:00" }), "anchor", "year"},
		{"no timezone", with(func(r *rule) { r.Timezone = "" }), "timezone", "empty"},
		{"Local", with(func(r *rule) { r.Timezone = "Local" }), "timezone", "IANA"},
		{"localtime", with(func(r *rule) { r.Timezone = "localtime" }), "timezone", "IANA"},
		{"unknown zone", with(func(r *rule) { r.Timezone = "Mars/Olympus" }), "timezone", "IANA"},
		{"path up", with(func(r *rule) { r.Timezone = "../../etc/passwd" }), "timezone", "IANA"},
		{"path up inside", with(func(r *rule) { r.Timezone = "Europe/../Europe/Berlin" }), "timezone", "IANA"},
		{"absolute path", with(func(r *rule) { r.Timezone = "/usr/share/zoneinfo/Europe/Berlin" }), "timezone", "IANA"},
		{"leap seconds", with(func(r *rule) { r.Timezone = "right/Europe/Berlin" }), "timezone", "IANA"},
		{"a directory", with(func(r *rule) { r.Timezone = "Europe" }), "timezone", "IANA"},
		{"an offset", with(func(r *rule) { r.Timezone = "+02:00" }), "timezone", "IANA"},
		{"a long name", with(func(r *rule) { r.Timezone = strings.Repeat("A", 10_000) }), "timezone", "IANA"},
		{"NUL in the zone", with(func(r *rule) { r.Timezone = "Europe/Berlin\x00" }), "timezone", "IANA"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			began := time.Now()
			err := tc.rule.Validate()
			took := time.Since(began)

			var field *recurrence.FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, tc.field, field.Field)
			require.Contains(t, field.Message, tc.says)
			require.Less(t, len(field.Message), 200)
			// The promise is 10 ms; the rest is for a busy machine and -race.
			require.Less(t, took, 500*time.Millisecond)
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	for _, s := range []string{
		"FREQ=DAILY",
		"FREQ=DAILY;INTERVAL=1000",
		"INTERVAL=2;FREQ=WEEKLY;WKST=SU;BYDAY=MO,TH",
		"FREQ=MONTHLY;BYDAY=+1MO",
		"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1",
		"FREQ=MONTHLY;BYMONTHDAY=15,-1",
		"FREQ=YEARLY;BYDAY=53MO",
		"FREQ=YEARLY;BYYEARDAY=-366",
		"FREQ=YEARLY;BYWEEKNO=-1",
		"FREQ=YEARLY;INTERVAL=100",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
		"FREQ=DAILY;COUNT=1",
		"FREQ=DAILY;UNTIL=20271231T235959Z",
	} {
		t.Run(s, func(t *testing.T) {
			require.NoError(t, recurrence.Rule{RRule: s, Anchor: "2027-01-31T09:00:00", Timezone: "UTC"}.Validate())
		})
	}
}

// The costliest rules known: what never yields has to be looked for longest.
func BenchmarkValidateWorst(b *testing.B) {
	for _, s := range []string{
		"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
		"FREQ=WEEKLY;BYMONTH=2;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=8",
		"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=32",
		"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYWEEKNO=1,2,3,50,51,52,53;BYSETPOS=100",
		"FREQ=YEARLY;BYYEARDAY=" + strings.Repeat("366,", 110) + "366;INTERVAL=1;BYMONTH=1",
	} {
		b.Run(s[:min(len(s), 40)], func(b *testing.B) {
			r := recurrence.Rule{RRule: s, Anchor: "2027-01-31T09:00:00", Timezone: "Europe/Berlin"}
			for b.Loop() {
				if r.Validate() == nil {
					b.Fatal("expected to be refused")
				}
			}
		})
	}
}
