package preview_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/recurring-task/internal/preview"
)

func post(t *testing.T, body string, status int, into any) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	router := httpapi.NewRouter(log)
	preview.Mount(httpapi.NewAPI(router), httpapi.Failures{Log: log})
	req := httptest.NewRequest(http.MethodPost, "/api/recurrence/preview", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	router.ServeHTTP(rec, req)
	require.Equal(t, status, rec.Code, "%s", rec.Body)
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), into))
}

func TestPreview(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"month ends are explained": {
			`{"rrule":"FREQ=MONTHLY","due_at":"2027-01-31T09:00:00+01:00","timezone":"Europe/Berlin","count":2}`,
			`{"occurrences":[
				{"occurrence":"2027-02-28T09:00:00","due_at":"2027-02-28T08:00:00Z","note":"clamped to the month's last day"},
				{"occurrence":"2027-03-31T09:00:00","due_at":"2027-03-31T07:00:00Z","note":""}]}`,
		},
		"a gap is explained": {
			`{"rrule":"FREQ=DAILY","due_at":"2027-03-27T02:30:00+01:00","timezone":"Europe/Berlin","count":1}`,
			`{"occurrences":[{"occurrence":"2027-03-28T02:30:00","due_at":"2027-03-28T01:30:00Z","note":"moved past a DST gap"}]}`,
		},
		"a whole recurrence can be sent": {
			`{"rrule":"FREQ=MONTHLY;COUNT=2","due_at":"2027-01-31T09:00:00Z","timezone":"UTC","all_day":true,"basis":"due","month_end":"skip","dst_gap":"skip","missed":"all"}`,
			`{"occurrences":[{"occurrence":"2027-03-31T00:00:00","due_at":"2027-03-31T00:00:00Z","note":""}]}`,
		},
		"an all-day date is that which is written, in whatever offset": {
			`{"rrule":"FREQ=DAILY","due_at":"2027-09-06T00:00:00Z","timezone":"America/Santiago","all_day":true,"count":1}`,
			`{"occurrences":[{"occurrence":"2027-09-07T00:00:00","due_at":"2027-09-07T03:00:00Z","note":""}]}`,
		},
		"a series that goes on has the day of its anchor": {
			`{"rrule":"FREQ=MONTHLY","due_at":"2027-02-28T08:00:00Z","timezone":"Europe/Berlin","anchor":"2027-01-31T09:00:00","occurrence":"2027-02-28T09:00:00","count":1}`,
			`{"occurrences":[{"occurrence":"2027-03-31T09:00:00","due_at":"2027-03-31T07:00:00Z","note":""}]}`,
		},
		"of a series that goes on COUNT has left what it had": {
			`{"rrule":"FREQ=DAILY;COUNT=5","due_at":"2027-01-12T09:00:00Z","timezone":"UTC","anchor":"2027-01-11T09:00:00","ordinal":3,"occurrence":"2027-01-12T09:00:00"}`,
			`{"occurrences":[{"occurrence":"2027-01-13T09:00:00","due_at":"2027-01-13T09:00:00Z","note":""}]}`,
		},
		"moved with the following ones a series counts from there, and has left what it had": {
			`{"rrule":"FREQ=WEEKLY;COUNT=3","due_at":"2027-01-12T09:00:00Z","timezone":"UTC","anchor":"2027-01-04T09:00:00","occurrence":"2027-01-11T09:00:00","scope":"following"}`,
			`{"occurrences":[{"occurrence":"2027-01-19T09:00:00","due_at":"2027-01-19T09:00:00Z","note":""}]}`,
		},
		"moved alone it goes on as it was": {
			`{"rrule":"FREQ=WEEKLY;COUNT=3","due_at":"2027-01-12T09:00:00Z","timezone":"UTC","anchor":"2027-01-04T09:00:00","occurrence":"2027-01-11T09:00:00","scope":"this"}`,
			`{"occurrences":[{"occurrence":"2027-01-18T09:00:00","due_at":"2027-01-18T09:00:00Z","note":""}]}`,
		},
		"what counts from the completion goes on from the current one": {
			`{"rrule":"FREQ=DAILY;INTERVAL=3;COUNT=3","due_at":"2027-01-12T09:00:00Z","timezone":"UTC","basis":"completion","anchor":"2027-01-11T09:00:00","ordinal":2,"occurrence":"2027-01-12T09:00:00"}`,
			`{"occurrences":[{"occurrence":"2027-01-15T09:00:00","due_at":"2027-01-15T09:00:00Z","note":""}]}`,
		},
		"a series that ends with its first": {
			`{"rrule":"FREQ=DAILY;COUNT=1","due_at":"2027-01-31T09:00:00Z","timezone":"UTC"}`,
			`{"occurrences":[]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got json.RawMessage
			post(t, tc.body, http.StatusOK, &got)
			require.JSONEq(t, tc.want, string(got))
		})
	}
	var ten struct{ Occurrences []any }
	post(t, `{"rrule":"FREQ=DAILY","due_at":"2027-01-31T09:00:00Z","timezone":"UTC"}`, http.StatusOK, &ten)
	require.Len(t, ten.Occurrences, 10)
}

func TestPreviewRefuses(t *testing.T) {
	const good = `"rrule":"FREQ=DAILY","due_at":"2027-01-31T09:00:00Z","timezone":"UTC"`
	for name, tc := range map[string]struct {
		body     string
		status   int
		location string
	}{
		"no JSON":                     {`{`, 400, ""},
		"an hour of one digit":        {`{"rrule":"FREQ=DAILY","due_at":"2027-05-10T9:00:00Z","timezone":"UTC"}`, 422, "body.due_at"},
		"BYMONTHDAY=,24":              {`{"rrule":"FREQ=MONTHLY;BYMONTHDAY=,24","due_at":"2027-01-31T09:00:00Z","timezone":"UTC"}`, 422, "body.rrule"},
		"SECONDLY":                    {`{"rrule":"FREQ=SECONDLY","due_at":"2027-01-31T09:00:00Z","timezone":"UTC"}`, 422, "body.rrule"},
		"10 kB":                       {`{"rrule":"` + strings.Repeat("x", 10_000) + `","due_at":"2027-01-31T09:00:00Z","timezone":"UTC"}`, 422, "body.rrule"},
		"a rule that never yields":    {`{"rrule":"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30","due_at":"2027-01-31T09:00:00Z","timezone":"UTC"}`, 422, "body.rrule"},
		"a rule of a wrong type":      {`{"rrule":7,"due_at":"2027-01-31T09:00:00Z","timezone":"UTC"}`, 422, "body.rrule"},
		"a rule with NUL":             {`{"rrule":"FREQ=DAILY\u0000","due_at":"2027-01-31T09:00:00Z","timezone":"UTC"}`, 422, "body.rrule"},
		"no due time":                 {`{"rrule":"FREQ=DAILY","timezone":"UTC"}`, 422, "body"},
		"a due time without a zone":   {`{"rrule":"FREQ=DAILY","due_at":"2027-01-31T09:00:00","timezone":"UTC"}`, 422, "body.due_at"},
		"a due time of another age":   {`{"rrule":"FREQ=DAILY","due_at":"0001-01-31T09:00:00Z","timezone":"UTC"}`, 422, "body.due_at"},
		"a due time in another age":   {`{"rrule":"FREQ=DAILY","due_at":"9999-12-31T23:59:59-12:00","timezone":"Pacific/Kiritimati"}`, 422, "body.due_at"},
		"no such zone":                {`{"rrule":"FREQ=DAILY","due_at":"2027-01-31T09:00:00Z","timezone":"Mars/Olympus"}`, 422, "body.timezone"},
		"the machine's zone":          {`{"rrule":"FREQ=DAILY","due_at":"2027-01-31T09:00:00Z","timezone":"Local"}`, 422, "body.timezone"},
		"basis":                       {`{` + good + `,"basis":"never"}`, 422, "body.basis"},
		"month_end":                   {`{` + good + `,"month_end":""}`, 422, "body.month_end"},
		"dst_gap":                     {`{` + good + `,"dst_gap":"back"}`, 422, "body.dst_gap"},
		"count 0":                     {`{` + good + `,"count":0}`, 422, "body.count"},
		"an anchor that is none":      {`{` + good + `,"anchor":"2027-01-31"}`, 422, "body.anchor"},
		"an occurrence that is none":  {`{` + good + `,"occurrence":"2027-01-31"}`, 422, "body.occurrence"},
		"an occurrence of far away":   {`{` + good + `,"occurrence":"9999-01-31T09:00:00"}`, 422, "body.occurrence"},
		"a moved one of far away":     {`{` + good + `,"occurrence":"9999-01-31T09:00:00","scope":"following"}`, 422, "body.occurrence"},
		"ordinal 0":                   {`{` + good + `,"ordinal":0}`, 422, "body.ordinal"},
		"count 101":                   {`{` + good + `,"count":101}`, 422, "body.count"},
		"a field that does not exist": {`{` + good + `,"dtstart":"2027"}`, 422, "body.dtstart"},
	} {
		t.Run(name, func(t *testing.T) {
			var problem struct {
				Errors []struct{ Location string }
			}
			post(t, tc.body, tc.status, &problem)
			if tc.location != "" {
				require.Equal(t, tc.location, problem.Errors[0].Location)
			}
		})
	}
}

// JSON has many ways to write a number; the reader is not told of Go's types.
func TestANumberThatIsNotReadIsNamedInPlainWords(t *testing.T) {
	var p httpapi.Problem
	post(t, `{"rrule":"FREQ=DAILY","due_at":"2027-01-31T09:00:00Z","timezone":"UTC","count":1e1}`, http.StatusUnprocessableEntity, &p)
	require.Len(t, p.Errors, 1)
	require.Equal(t, "a number must be written without point and exponent", p.Errors[0].Message)
}
