package quickadd_test

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/quickadd"
)

const berlin = "Europe/Berlin"

var (
	home   = quickadd.List{ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5d1"), Name: "Home"}
	garden = quickadd.List{ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5d2"), Name: "Big Garden"}
	work   = quickadd.List{ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5d3"), Name: "Work"}
	work2  = quickadd.List{ID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5d4"), Name: "work"}
	lists  = []quickadd.List{home, garden, work, work2}
)

// wednesday is when the examples are written.
func wednesday(t testing.TB) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, "2027-01-06T10:00:00+01:00")
	require.NoError(t, err)
	return at
}

// due is the due time as the examples have it.
func due(t testing.TB, u quickadd.Understood, zone string) string {
	t.Helper()
	switch {
	case u.DueAt == nil:
		return ""
	case u.AllDay:
		require.Equal(t, 0, u.DueAt.Hour()+u.DueAt.Minute())
		return u.DueAt.UTC().Format(time.DateOnly)
	}
	location, err := recurrence.Location(zone)
	require.NoError(t, err)
	return u.DueAt.In(location).Format("2006-01-02 15:04")
}

// besides is the rest, as the examples have it.
func besides(u quickadd.Understood) string {
	var parts []string
	if r := u.Recurrence; r != nil {
		parts = append(parts, "`"+r.RRule+"`")
		if r.Basis == recurrence.BasisCompletion {
			parts = append(parts, "after completion")
		}
	}
	for _, l := range lists {
		if u.ListID != nil && *u.ListID == l.ID {
			parts = append(parts, "list "+l.Name)
		}
	}
	for _, tag := range u.Tags {
		parts = append(parts, "tag "+tag)
	}
	if u.Priority != "" {
		parts = append(parts, u.Priority)
	}
	for _, before := range u.Reminders {
		parts = append(parts, "remind "+before)
	}
	return strings.Join(parts, ", ")
}

// The tables of the documentation are what the grammar does.
func TestTheExamples(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/quick-add.md")
	require.NoError(t, err)
	taken, left := 0, 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		switch {
		case !strings.HasPrefix(line, "| `"):
			continue
		case len(cells) == 4:
			taken++
		case len(cells) == 2: // a trap, and why it is none
			left++
		default:
			t.Fatalf("what is %q?", line)
		}
		example := strings.Trim(strings.TrimPrefix(cells[0], "| "), "`")
		t.Run(example, func(t *testing.T) {
			u, err := quickadd.Parse(example, wednesday(t), berlin, lists)
			require.NoError(t, err)
			if len(cells) == 2 {
				require.Equal(t, quickadd.Understood{Title: example}, u)
				return
			}
			cell := func(i int) string { return strings.TrimSpace(strings.TrimSuffix(cells[i], "|")) }
			require.Equal(t, []string{strings.Trim(cell(1), "`"), cell(2), cell(3)}, []string{u.Title, due(t, u, berlin), besides(u)})
		})
	}
	require.Greater(t, taken, 70)
	require.Greater(t, left, 30)
}

func TestWhenATextIsMeant(t *testing.T) {
	for name, c := range map[string]struct{ text, now, zone, want string }{
		"the day of the zone, not of UTC":            {"Swim tomorrow", "2027-01-06T11:30:00Z", "Pacific/Auckland", "2027-01-08"},
		"a time that is to come today":               {"Swim 10:00", "2027-01-06T10:00:00+01:00", berlin, "2027-01-06 10:00"},
		"a time that is over today":                  {"Swim 10:00", "2027-01-06T10:00:01+01:00", berlin, "2027-01-07 10:00"},
		"a time that is over, of today":              {"Swim today 9:00", "2027-01-06T10:00:00+01:00", berlin, "2027-01-06 09:00"},
		"a date that is today":                       {"Swim 6 January", "2027-01-06T10:00:00+01:00", berlin, "2027-01-06"},
		"a date that was yesterday":                  {"Swim 5 January", "2027-01-06T10:00:00+01:00", berlin, "2028-01-05"},
		"29 February":                                {"Swim 29 February", "2027-01-06T10:00:00+01:00", berlin, "2028-02-29"},
		"a month that is shorter":                    {"Swim in a month", "2027-01-31T10:00:00+01:00", berlin, "2027-02-28"},
		"a weekday is not today":                     {"Swim wednesday", "2027-01-06T10:00:00+01:00", berlin, "2027-01-13"},
		"next week, on a Sunday":                     {"Swim next week", "2027-01-10T10:00:00+01:00", berlin, "2027-01-11"},
		"next Sunday, on a Sunday":                   {"Swim next sunday", "2027-01-10T10:00:00+01:00", berlin, "2027-01-17"},
		"a gap: moved on by what is missing":         {"Swim 28 March 2:30", "2027-01-06T10:00:00+01:00", berlin, "2027-03-28 03:30"},
		"a fold: the first time":                     {"Swim 31 October 2:30", "2027-01-06T10:00:00+01:00", berlin, "2027-10-31 02:30"},
		"the first of a rule is where it can repeat": {"Swim every day 2:30", "2027-03-27T10:00:00+01:00", berlin, "2027-03-29 02:30"},
		"the first of a rule is not over":            {"Swim every monday 9:00", "2027-01-11T09:00:01+01:00", berlin, "2027-01-18 09:00"},
		"the first of a rule can be now":             {"Swim every monday 9:00", "2027-01-11T09:00:00+01:00", berlin, "2027-01-11 09:00"},
		"a date that has no midnight":                {"Swim 5 September", "2027-01-06T10:00:00Z", "America/Santiago", "2027-09-05"},
	} {
		t.Run(name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, c.now)
			require.NoError(t, err)
			u, err := quickadd.Parse(c.text, now, c.zone, nil)
			require.NoError(t, err)
			require.Equal(t, c.want, due(t, u, c.zone))
		})
	}
	u, err := quickadd.Parse("Swim 31 October 2:30", wednesday(t), berlin, nil)
	require.NoError(t, err)
	require.Equal(t, "2027-10-31T00:30:00Z", u.DueAt.UTC().Format(time.RFC3339), "the first of two")
}

func TestWhatCanNotBeParsed(t *testing.T) {
	for field, try := range map[string]func() error{
		"timezone": func() error { _, err := quickadd.Parse("Swim", wednesday(t), "Mars/Base", nil); return err },
		"captured_at": func() error {
			_, err := quickadd.Parse("Swim", time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC), berlin, nil)
			return err
		},
	} {
		var wrong *recurrence.FieldError
		require.ErrorAs(t, try(), &wrong)
		require.Equal(t, field, wrong.Field)
	}
}

func TestSpansCountAsABrowserDoes(t *testing.T) {
	u, err := quickadd.Parse("🌸 gießen  every friday 9:00 #Home, 🌸 *15m !high", wednesday(t), berlin, lists)
	require.NoError(t, err)
	require.Equal(t, "🌸 gießen 🌸", u.Title)
	require.Equal(t, []quickadd.Span{
		{Start: 11, End: 23, Kind: quickadd.Repeats, Value: "FREQ=WEEKLY;BYDAY=FR", Text: "every friday"},
		{Start: 24, End: 28, Kind: quickadd.Time, Value: "09:00", Text: "9:00"},
		{Start: 29, End: 35, Kind: quickadd.InList, Value: home.ID.String(), Text: "#Home,"},
		{Start: 39, End: 43, Kind: quickadd.Reminder, Value: "PT15M", Text: "*15m"},
		{Start: 44, End: 49, Kind: quickadd.Priority, Value: "high", Text: "!high"},
	}, u.Spans)
}

func TestNoMoreIsTakenThanATaskCanHave(t *testing.T) {
	var text strings.Builder
	text.WriteString("Swim tomorrow")
	for i := range 25 {
		text.WriteString(" #t" + string(rune('a'+i)) + " *" + string(rune('1'+i%9)) + string("mhd"[i/9]))
	}
	text.WriteString(" #" + strings.Repeat("ü", 51))
	u, err := quickadd.Parse(text.String(), wednesday(t), berlin, nil)
	require.NoError(t, err)
	require.Len(t, u.Tags, 20)
	require.Len(t, u.Reminders, 20)
	require.Contains(t, u.Title, "#ta", "the last ones are taken")
	require.Contains(t, u.Title, "üüü", "longer than a tag can be")
}

// Every rule that is understood is one that the suite takes, from its first date on.
func checkRule(t testing.TB, u quickadd.Understood, zone string) {
	t.Helper()
	if u.Recurrence == nil {
		return
	}
	wall, err := recurrence.Written(*u.DueAt, zone, u.AllDay)
	require.NoError(t, err)
	r := recurrence.Rule{RRule: u.Recurrence.RRule, Basis: u.Recurrence.Basis, Anchor: wall, Timezone: zone, AllDay: u.AllDay}
	require.NoError(t, r.Validate(), "%s from %s", r.RRule, wall)
}

// The first date of a rule is one of the rule's: as many dates follow it as would if it
// were not.
func TestTheFirstDateIsOfTheRule(t *testing.T) {
	for _, text := range []string{
		"every day", "every weekday", "every friday", "every mon and thu", "every 2 weeks on tuesday", "every 31st", "every 3 months on the 30th",
		"every month on the last friday", "every month on the second tuesday", "every last day", "every 29 February", "every 7 days", "every 50 years",
	} {
		for day := range 40 {
			now := time.Date(2027, 12, 20+day, 12, 0, 0, 0, time.UTC)
			for _, clock := range []string{"", " 9:00", " 18:00"} {
				u, err := quickadd.Parse("Swim "+text+clock, now, "UTC", nil)
				require.NoError(t, err)
				require.Equal(t, "Swim", u.Title, text)
				require.NotNil(t, u.Recurrence, text)
				checkRule(t, u, "UTC")
				if u.AllDay {
					require.False(t, u.DueAt.Before(now.Truncate(24*time.Hour)), "%s at %s: %s", text, now, u.DueAt)
				} else {
					require.False(t, u.DueAt.Before(now), "%s at %s: %s", text, now, u.DueAt)
				}
				// From a day of the rule before it the rule itself comes to that date.
				wall := u.DueAt.AddDate(0, 0, -1).Format(recurrence.WallLayout)
				r := recurrence.Rule{RRule: u.Recurrence.RRule, Anchor: wall, Timezone: "UTC"}
				if strings.Contains(r.RRule, "BY") && !strings.Contains(r.RRule, "INTERVAL") {
					next, err := r.Preview(1)
					require.NoError(t, err)
					require.Equal(t, u.DueAt.Format(recurrence.WallLayout), next[0].Wall, "%s at %s", text, now)
				}
			}
		}
	}
}

// words are those of a text as they stay in a title.
func words(text string) []string {
	found := strings.Fields(text)
	for i, w := range found {
		if len(w) > 1 {
			found[i] = strings.TrimPrefix(w, `\`)
		}
	}
	return found
}

// check holds what is understood of a text against what is so of any.
func check(t *testing.T, text string, u quickadd.Understood) {
	t.Helper()
	units := utf16.Encode([]rune(text))
	at, kinds := 0, map[quickadd.Kind]int{}
	var left []uint16
	for _, s := range u.Spans {
		require.GreaterOrEqual(t, s.Start, at, "spans do not overlap")
		require.Greater(t, s.End, s.Start)
		require.LessOrEqual(t, s.End, len(units))
		require.Equal(t, s.Text, string(utf16.Decode(units[s.Start:s.End])))
		require.Contains(t, quickadd.Kinds, s.Kind)
		require.NotEmpty(t, s.Value)
		left = append(left, units[at:s.Start]...)
		at = s.End
		kinds[s.Kind]++
	}
	left = append(left, units[at:]...)
	if strings.TrimSpace(text) != "" {
		require.NotEmpty(t, u.Title)
	}
	require.Equal(t, words(string(utf16.Decode(left))), slices.Clone(strings.Fields(u.Title)), "what is not understood is the title")
	for kind, n := range kinds {
		if kind != quickadd.Tag && kind != quickadd.Reminder {
			require.Equal(t, 1, n, "%s counts once", kind)
		}
	}
	require.Equal(t, kinds[quickadd.Date]+kinds[quickadd.Time]+kinds[quickadd.Repeats] > 0, u.DueAt != nil)
	require.Equal(t, kinds[quickadd.Repeats] > 0, u.Recurrence != nil)
	require.Equal(t, kinds[quickadd.InList] > 0, u.ListID != nil)
	require.LessOrEqual(t, len(u.Tags), 20)
	require.LessOrEqual(t, len(u.Reminders), 20)
	if len(u.Reminders) > 0 {
		require.NotNil(t, u.DueAt, "a reminder counts from a due time")
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("../../../../docs/quick-add.md")
	require.NoError(f, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			example, _, _ := strings.Cut(rest, "`")
			f.Add(example, int64(1799226000))
		}
	}
	zones := []string{"UTC", berlin, "America/Santiago", "Pacific/Apia", "Asia/Kathmandu"}
	f.Fuzz(func(t *testing.T, text string, second int64) {
		if len(text) > 4*quickadd.MaxText {
			return
		}
		const most = 7_200_000_000 // in 2198
		now := time.Unix(max(0, second%most), 0)
		zone := zones[len(text)%len(zones)]
		u, err := quickadd.Parse(text, now, zone, lists)
		require.NoError(t, err)
		if !utf8.ValidString(text) || strings.Contains(text, `#"`) && strings.Contains(text, `\`) {
			return // no text of JSON; and within quotes a backslash is one
		}
		check(t, text, u)
		checkRule(t, u, zone)
	})
}

// worked is how long the processor has worked for the test: by the clock a long run is
// interrupted more often than a short one.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// A text of any length takes time in proportion: nothing is looked at again and again.
func TestTimeIsLinear(t *testing.T) {
	for name, piece := range map[string]string{
		"rules": "every mon, tue, wed, thu, fri, sat and ", "quotes": `#"`, "tags": "#a ", "backslashes": `\`, "times": "at 9 am ", "dates": "on the 5th of May 2027 ",
		"reminders": "remind me 15 minutes before ", "far dates": "29 February ",
	} {
		parse := func(n int) time.Duration {
			text := strings.Repeat(piece, n)
			best := time.Hour
			for range 5 {
				began := worked(t)
				_, err := quickadd.Parse(text, wednesday(t), berlin, lists)
				require.NoError(t, err)
				best = min(best, worked(t)-began)
			}
			return best
		}
		n := quickadd.MaxText / len(piece)
		short, long := parse(n), parse(16*n)
		// Were each word compared with each, it were 256 times.
		require.Less(t, long, 100*short+20*time.Millisecond, "%s: 16 times the length", name)
		require.Less(t, short, 100*time.Millisecond, name)
	}
}
