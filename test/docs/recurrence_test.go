package docs

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// Each example of docs/recurrence.md is what the suite does.
func TestTheExamplesOfRecurrence(t *testing.T) {
	text, err := os.ReadFile("../../docs/recurrence.md")
	require.NoError(t, err)
	examples := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 9 || !strings.HasPrefix(cells[1], " `FREQ=") {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `\n")
		}
		rrule, options, zone, due, done, want := cells[1], cells[2], cells[3], cells[4], cells[5], cells[6]
		examples++
		t.Run(rrule+" "+options+" "+due+" "+done, func(t *testing.T) {
			rule := recurrence.Rule{RRule: rrule, Timezone: zone}
			layout := time.RFC3339
			switch name, value, _ := strings.Cut(options, ": "); name {
			case "":
			case "all_day":
				rule.AllDay, layout = true, time.DateOnly
				due += "T00:00:00"
			case "month_end":
				rule.MonthEnd = value
			case "dst_gap":
				rule.DSTGap = value
			case "missed":
				rule.Missed = value
			case "basis":
				rule.Basis = value
			default:
				t.Fatalf("what is %q?", options)
			}
			rule.Anchor = due
			completed, err := recurrence.Resolve(due, zone, rule.AllDay)
			require.NoError(t, err)
			if done != "on time" {
				completed, err = recurrence.Resolve(done, zone, false)
				require.NoError(t, err)
			}
			next, err := rule.Next(recurrence.Position{Wall: due, Ordinal: 1}, completed)
			require.NoError(t, err)
			got := "none"
			if next != nil {
				location, err := recurrence.Location(zone)
				require.NoError(t, err)
				got = next.At.In(location).Format(layout)
			}
			require.Equal(t, want, got)
		})
	}
	require.Greater(t, examples, 10)
}
