package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// kind is what a field takes. Each has values that it must refuse, written as
// JSON; what else is sent to it may be taken or refused.
type kind struct {
	name string
	bad  []string
}

// notText are values of every type but text; null is left to each field.
var notText = []string{`true`, `0`, `-1`, `1.5`, `1e400`, `123456789012345678901234567890`, `[]`, `["x"]`, `{}`, `{"a":1}`}

func with(bad []string, more ...string) []string { return append(append([]string{}, bad...), more...) }

// text of at most so many characters. NUL can not be stored.
func text(most int, more ...string) kind {
	return kind{"text", with(notText, append([]string{`"` + strings.Repeat("x", most+1) + `"`, `"a\u0000b"`}, more...)...)}
}

var (
	notBool   = []string{`0`, `1`, `"true"`, `""`, `[]`, `[true]`, `{}`, `1e400`}
	boolean   = kind{"bool", notBool}
	moment    = kind{"moment", with(notText, `""`, `"x"`, `"2027-06-01"`, `"2027-06-01T09:00:00"`, `"2027-06-01 09:00:00Z"`, `"2027-02-30T00:00:00Z"`, `"2027-06-01T24:00:00Z"`, `"2027-06-01T09:00:60Z"`, `"2027-06-01T09:00:00+25:00"`, `"0000-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"1899-12-31T23:59:59Z"`, `"9001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59-23:59"`, `"a\u0000b"`)}
	zone      = text(64, `"Mars/Olympus"`, `"Local"`, `"../../etc/passwd"`, `"/etc/localtime"`, `"Europe/Berlin\n"`, `" "`, `"💥"`, `"+01:00"`)
	address   = text(254, `""`, `"x"`, `"a@"`, `"@b"`, `"Ada <ada@example.org>"`, `"a@b\r\nBcc: c@d"`, `"a b@example.org"`)
	id        = kind{"id", with(notText, `""`, `"x"`, `"0190c8a0"`, `"0190c8a0-0000-7000-8000-00000000000g"`, `"a\u0000b"`, `"`+strings.Repeat("0", 5000)+`"`)}
	priority  = kind{"priority", with(notText, `""`, `"HIGH"`, `"highest"`, `"a\u0000b"`)}
	tagList   = kind{"tags", []string{`"a"`, `0`, `true`, `{}`, `[1]`, `[null]`, `[[]]`, `[{}]`, `[""]`, `[" "]`, `["` + strings.Repeat("x", 51) + `"]`, `["a\u0000b"]`, listOf(21, func(i int) string { return fmt.Sprintf(`"t%d"`, i) })}}
	reminders = kind{"reminders", []string{`"a"`, `0`, `true`, `{}`, `[1]`, `["x"]`, `[[]]`, `[{}]`, `[null]`, `[{"at":"2027-01-01T00:00:00Z","before_due":"PT1H"}]`, `[{"at":null}]`, `[{"before":"PT1H"}]`, listOf(21, func(int) string { return `{"at":"2027-01-01T00:00:00Z"}` })}}
	repeats   = kind{"recurrence", []string{`"FREQ=DAILY"`, `0`, `true`, `[]`, `[{}]`, `{"rrule":null}`, `{"rule":"FREQ=DAILY"}`, `{"rrule":""}`}}
	before    = text(40, `"PT"`, `"P"`, `"15"`, `"15m"`, `"-PT15M"`, `"PT-15M"`, `"P1Y"`, `"P1M"`, `"PT1.5H"`, `"P367D"`, `"PT99999999S"`, `"P999999999999999999999D"`, `"PT15M\n"`, `"ＰＴ15Ｍ"`)
	rrule     = text(500, `""`, `"x"`, `"BYMONTHDAY=,24"`, `"FREQ=MONTHLY;BYMONTHDAY=,24"`, `"FREQ=SECONDLY"`, `"FREQ=MINUTELY"`, `"FREQ=HOURLY"`, `"FREQ=DAILY;INTERVAL=0"`, `"FREQ=DAILY;INTERVAL=-1"`, `"FREQ=DAILY;INTERVAL=99999999999999999999"`, `"FREQ=DAILY;COUNT=0"`, `"FREQ=DAILY;COUNT=2;UNTIL=20280101"`, `"FREQ=DAILY;FREQ=DAILY"`, `"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"`, `"FREQ=DAILY;BYHOUR=25"`, `"FREQ=DAILY;X=1"`, `"FREQ=DAILY\nDTSTART:20270101"`, `"RRULE:FREQ=DAILY;"`, `"FREQ=💥"`, `"FREQ=WEEKLY;BYDAY=XX"`, `"FREQ=MONTHLY;BYSETPOS=1"`, `"FREQ=YEARLY;UNTIL=20010101"`)
	unknown   = kind{"unknown", []string{`null`, `true`, `0`, `"x"`, `[]`, `{}`, strings.Repeat("[", 500) + strings.Repeat("]", 500)}}
)

func listOf(n int, item func(int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

func choice(more ...string) kind { return kind{"choice", with(notText, append(more, `""`, `"x"`)...)} }

// strange are values that any field may be sent: never an error of the server.
var strange = []string{
	`null`, `""`, `"   "`, `"💥👩‍👩‍👧"`, `"\u202egnp.exe"`, `"\ud800"`, `"\uffff"`, `"'; DROP TABLE task.tasks; --"`, `"?0 $1 %s"`,
	`-0`, `1e308`, `[]`, `[null]`, `{}`, `{"a":{"b":[1]}}`, `"` + strings.Repeat("x", 21_000) + `"`,
	strings.Repeat("[", 9000) + strings.Repeat("]", 9000), strings.Repeat(`{"a":`, 9000) + `1` + strings.Repeat("}", 9000), `"00000000-0000-0000-0000-000000000000"`,
}

// Every field of every endpoint, sent what it can not take: the answer names
// the field, and nothing has changed.
func TestEveryFieldRefusesWhatItCanNotTake(t *testing.T) {
	t.Parallel()
	s := start(t, "LIMIT_WRITES=0")
	u := s.newUser()
	target := u.create(object{"title": "Target", "due_at": "2027-06-01T09:00:00Z", "timezone": "UTC"})
	type field struct {
		name string
		kind kind
	}
	task := []field{
		{"title", text(200, `""`, `"   "`)}, {"description", text(20000)}, {"is_complete", boolean}, {"priority", priority},
		{"tags", tagList}, {"due_at", moment}, {"all_day", boolean}, {"timezone", zone}, {"reminders", reminders},
		{"recurrence", repeats}, {"parent_id", id}, {"unknown", unknown}, {"Title", unknown}, {"TITLE", unknown}, {"", unknown}, {"title ", unknown},
	}
	serverSet := []field{{"id", unknown}, {"user_id", unknown}, {"series_id", unknown}, {"occurrence", unknown}, {"completed_at", unknown}, {"version", unknown}, {"created_at", unknown}, {"updated_at", unknown}, {"follows_id", unknown}, {"followed", unknown}}
	reminder := []field{{"id", id}, {"at", moment}, {"before_due", before}, {"unknown", unknown}, {"armed", unknown}}
	recurrence := []field{
		{"rrule", rrule}, {"basis", choice(`"DUE"`)}, {"month_end", choice(`"CLAMP"`)}, {"dst_gap", choice(`"back"`)}, {"missed", choice(`"none"`)}, {"unknown", unknown}, {"dtstart", unknown},
	}
	path := at(target.ID)
	const whole = `{"title":"T","due_at":"2027-06-01T09:00:00Z","timezone":"UTC",%s}`
	for _, e := range []struct {
		method, path string
		body         string // %s is "name":value
		in           string // where the field is, in the contract's words
		fields       []field
		internal     bool
	}{
		{method: http.MethodPost, path: "/api/tasks", body: whole, in: "body", fields: append(task[:len(task):len(task)], serverSet...)},
		{method: http.MethodPut, path: path, body: whole, in: "body", fields: task},
		{method: http.MethodPatch, path: path, body: `{%s}`, in: "body", fields: append(task[:len(task):len(task)], serverSet...)},
		{method: http.MethodPatch, path: path + "/complete", body: `{%s}`, in: "body", fields: []field{{"is_complete", boolean}, {"unknown", unknown}}},
		{method: http.MethodPost, path: "/api/tasks", body: `{"title":"T","due_at":"2027-06-01T09:00:00Z","reminders":[{%s}]}`, in: "body.reminders[0]", fields: reminder},
		{method: http.MethodPut, path: path, body: `{"title":"T","due_at":"2027-06-01T09:00:00Z","reminders":[{"at":"2027-01-01T00:00:00Z"},{%s}]}`, in: "body.reminders[1]", fields: reminder},
		{method: http.MethodPatch, path: path, body: `{"reminders":[{%s}]}`, in: "body.reminders[0]", fields: reminder},
		{method: http.MethodPost, path: "/api/tasks", body: `{"title":"T","due_at":"2027-06-01T09:00:00Z","recurrence":{"rrule":"FREQ=DAILY",%s}}`, in: "body.recurrence", fields: recurrence},
		{method: http.MethodPut, path: path, body: `{"title":"T","due_at":"2027-06-01T09:00:00Z","recurrence":{"rrule":"FREQ=DAILY",%s}}`, in: "body.recurrence", fields: recurrence},
		{method: http.MethodPatch, path: path, body: `{"recurrence":{"rrule":"FREQ=DAILY",%s}}`, in: "body.recurrence", fields: recurrence},
		{method: http.MethodPatch, path: "/api/auth/me", body: `{%s}`, in: "body", fields: []field{{"name", text(200)}, {"timezone", zone}, {"email", address}, {"id", unknown}}},
		{method: http.MethodPost, path: "/api/auth/register", body: `{"email":"new@example.org","password":"long enough to pass",%s}`, in: "body", fields: []field{
			{"email", address},
			{"password", text(200, `""`, `"123456789"`)}, {"name", text(200)}, {"timezone", zone}, {"unknown", unknown}, {"id", unknown},
		}},
		{method: http.MethodPost, path: "/api/auth/login", body: `{"email":"nobody@example.org","password":"p",%s}`, in: "body", fields: []field{{"email", text(254)}, {"password", text(200)}, {"unknown", unknown}}},
		{method: http.MethodPost, path: "/api/auth/forgot", body: `{%s}`, in: "body", fields: []field{{"email", address}, {"unknown", unknown}}},
		{method: http.MethodPost, path: "/api/auth/verify/resend", body: `{%s}`, in: "body", fields: []field{{"email", address}, {"unknown", unknown}}},
		{method: http.MethodPost, path: "/api/auth/verify", body: `{%s}`, in: "body", fields: []field{{"token", text(200, `""`, `"x"`)}, {"unknown", unknown}}},
		{method: http.MethodPost, path: "/api/auth/reset", body: `{"token":"x","password":"long enough to pass",%s}`, in: "body", fields: []field{{"token", text(200, `""`, `"x"`)}, {"password", text(200, `""`, `"123456789"`)}, {"unknown", unknown}}},
		{method: http.MethodPost, path: "/internal/occurrences", body: `{"after_task_id":"` + target.ID.String() + `",%s}`, in: "body", internal: true, fields: []field{{"after_task_id", id}, {"unknown", unknown}}},
		{method: http.MethodPost, path: "/internal/reminders/check", body: `{"reminders":[{"reminder_id":"` + uuid.NewString() + `","remind_at":"2027-06-02T09:00:00Z",%s}]}`, in: "body.reminders[0]", internal: true, fields: []field{{"reminder_id", id}, {"unknown", unknown}}},
	} {
		t.Run(e.method+" "+strings.Replace(e.path, target.ID.String(), "ID", 1)+" "+e.in, func(t *testing.T) {
			send := func(name, value string) (string, answer) {
				// A field that the body has already is written over: the later counts.
				body := fmt.Sprintf(e.body, fmt.Sprintf("%q:%s", name, value))
				if e.internal {
					return body, s.nobody().do(e.method, e.path, body, "dapr-api-token", appToken)
				}
				return body, u.do(e.method, e.path, body)
			}
			before := s.state()
			for _, f := range e.fields {
				for _, value := range f.kind.bad {
					body, a := send(f.name, value)
					what := fmt.Sprintf("%.150s: %d %.300s", body[max(0, strings.Index(body, `"`+f.name+`"`)):], a.status, a.body)
					p := a.problem()
					if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
						t.Errorf("not refused: %s", what)
						before = s.state()
						continue
					}
					if a.header.Get("Content-Type") != "application/problem+json" || len(p.Errors) == 0 || p.Errors[0].Message == "" {
						t.Errorf("names nothing: %s", what)
					} else if a.status == http.StatusUnprocessableEntity && !strings.HasPrefix(p.Errors[0].Location, strings.TrimSuffix(e.in+"."+f.name, ".")) && p.Errors[0].Location != e.in {
						t.Errorf("names another field: %s", what)
					} else if a.status == http.StatusUnprocessableEntity && p.Errors[0].Location == e.in && f.kind.name != "unknown" && !strings.HasPrefix(f.kind.name, "reminders") {
						t.Errorf("names no field: %s", what)
					}
				}
				if after := s.state(); before != after {
					t.Errorf("something that %s can not be has changed something:\n%s\n%s", f.name, before, after)
					before = after
				}
				for _, value := range strange {
					body, a := send(f.name, value)
					if a.status >= 500 {
						t.Errorf("%.150s: %d %s", body, a.status, a.body)
					}
					if a.status >= 400 {
						if p := a.problem(); p.Status != a.status || a.status == 422 && (len(p.Errors) == 0 || p.Errors[0].Location == "") {
							t.Errorf("names nothing: %.150s: %s", body, a.body)
						}
						require.Equal(t, before, s.state(), "%.150s", body)
					} else {
						before = s.state()
					}
				}
			}
		})
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t"})
	path := at(task.ID)
	before := s.state()
	for name, c := range map[string]struct {
		method, path string
		body         any
		header       []string
		status       int
		location     string
	}{
		"malformed JSON":               {http.MethodPost, "/api/tasks", `{"title":`, nil, 400, ""},
		"malformed JSON in a patch":    {http.MethodPatch, path, `{"title":}`, nil, 400, ""},
		"something after the JSON":     {http.MethodPost, "/api/tasks", `{"title":"x"} {}`, nil, 400, ""},
		"bytes that are no UTF-8":      {http.MethodPost, "/api/tasks", "{\"title\":\"\xff\xfe\"}", nil, 400, ""},
		"half a character":             {http.MethodPatch, path, "{\"title\":\"\xe6\x97\"}", nil, 400, ""},
		"UTF-16":                       {http.MethodPost, "/api/tasks", "\xff\xfe{\x00}\x00", nil, 400, ""},
		"too deep":                     {http.MethodPost, "/api/tasks", strings.Repeat("[", 100_000), nil, 400, ""},
		"no body":                      {http.MethodPost, "/api/tasks", nil, nil, 400, ""},
		"no body for a patch":          {http.MethodPatch, path, nil, nil, 400, ""},
		"a text":                       {http.MethodPost, "/api/tasks", `"x"`, nil, 422, "body"},
		"an array":                     {http.MethodPatch, path, `[]`, nil, 422, "body"},
		"null":                         {http.MethodPatch, path, `null`, nil, 422, "body"},
		"a field twice":                {http.MethodPost, "/api/tasks", `{"title":7,"title":"x"}`, nil, 422, "body"},
		"1 MiB and a byte":             {http.MethodPost, "/api/tasks", `{"title":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, ""},
		"more than 1 MiB in chunks":    {http.MethodPut, path, io.MultiReader(strings.NewReader(`{"title":"`), strings.NewReader(strings.Repeat("x", 2<<20))), nil, 413, ""},
		"a form":                       {http.MethodPost, "/api/tasks", `title=x`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, ""},
		"text":                         {http.MethodPost, "/api/tasks", `{"title":"x"}`, []string{"Content-Type", "text/plain"}, 415, ""},
		"CBOR":                         {http.MethodPost, "/api/tasks", "\xa1", []string{"Content-Type", "application/cbor"}, 415, ""},
		"an id that is none":           {http.MethodGet, "/api/tasks/abc", nil, nil, 422, "path.id"},
		"an id with a NUL":             {http.MethodGet, "/api/tasks/%00", nil, nil, 422, "path.id"},
		"an id of 5 kB":                {http.MethodDelete, "/api/tasks/" + strings.Repeat("1", 5000), nil, nil, 422, "path.id"},
		"a long If-Match":              {http.MethodDelete, path, nil, []string{"If-Match", strings.Repeat(`"1",`, 300)}, 422, "header.If-Match"},
		"a weak If-Match":              {http.MethodDelete, path, nil, []string{"If-Match", `W/"1"`}, 412, ""},
		"a stale If-Match":             {http.MethodPut, path, `{"title":"x"}`, []string{"If-Match", `"0", "2"`}, 412, ""},
		"a long Idempotency-Key":       {http.MethodPost, "/api/tasks", `{"title":"x"}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 422, "header.Idempotency-Key"},
		"a key that is no UTF-8":       {http.MethodPost, "/api/tasks", `{"title":"x"}`, []string{"Idempotency-Key", "\xff"}, 422, "header.Idempotency-Key"},
		"a query of no use":            {http.MethodDelete, path + "?force=true", nil, nil, 422, "query.force"},
		"a query that is none":         {http.MethodGet, "/api/tasks?q=%zz", nil, nil, 422, "query"},
		"a NUL in a query":             {http.MethodGet, "/api/tasks?q=%00", nil, nil, 422, "query.q"},
		"a tag that is no UTF-8":       {http.MethodGet, "/api/tasks?tag=a&tag=%ff", nil, nil, 422, "query.tag[1]"},
		"a moment of before all years": {http.MethodGet, "/api/tasks?due_before=0001-01-01T00:00:00Z", nil, nil, 422, "query.due_before"},
		"an hour of one digit":         {http.MethodGet, "/api/tasks?due_after=2027-05-10T9:00:00Z", nil, nil, 422, "query.due_after"},
		"an offset of a day":           {http.MethodGet, "/api/tasks?updated_after=2027-05-10T09:00:00%2B24:00", nil, nil, 422, "query.updated_after"},
		"a body's hour of one digit":   {http.MethodPost, "/api/tasks", `{"title":"x","due_at":"2027-05-10T9:00:00Z"}`, nil, 422, "body.due_at"},
		"a patch's offset of a day":    {http.MethodPatch, path, `{"due_at":"2027-05-10T09:00:00+24:00"}`, nil, 422, "body.due_at"},
		"a reminder's comma":           {http.MethodPost, "/api/tasks", `{"title":"x","reminders":[{"at":"2027-05-10T12:00:00,5Z"}]}`, nil, 422, "body.reminders[0].at"},
		"a comma for a point":          {http.MethodGet, "/api/tasks?due_before=2027-05-10T12:00:00,5Z", nil, nil, 422, "query.due_before"},
		"no date":                      {http.MethodGet, "/api/tasks?due_after=2027-02-30T00:00:00Z", nil, nil, 422, "query.due_after"},
		"a day that is none":           {http.MethodGet, "/api/tasks?due=yesterday", nil, nil, 422, "query.due"},
		"days of no zone":              {http.MethodGet, "/api/tasks?due=today&timezone=Europe/Nowhere", nil, nil, 422, "query.timezone"},
		"a zone for no days":           {http.MethodGet, "/api/tasks?timezone=../etc/passwd", nil, nil, 422, "query.timezone"},
		"complete tasks that are due":  {http.MethodGet, "/api/tasks?due=none&is_complete=true", nil, nil, 422, "query.is_complete"},
		"a limit of 0":                 {http.MethodGet, "/api/tasks?limit=0", nil, nil, 422, "query.limit"},
		"a limit of 201":               {http.MethodGet, "/api/tasks?limit=201", nil, nil, 422, "query.limit"},
		"a limit that is huge":         {http.MethodGet, "/api/tasks?limit=99999999999999999999", nil, nil, 422, "query.limit"},
		"an order that is none":        {http.MethodGet, "/api/tasks?sort=password_hash", nil, nil, 422, "query.sort"},
		"a cursor that is none":        {http.MethodGet, "/api/tasks?cursor=x", nil, nil, 422, "query.cursor"},
		"a cursor of another order":    {http.MethodGet, "/api/tasks?sort=title&cursor=eyJzIjoiZHVlX2F0IiwidiI6bnVsbCwiaSI6IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJ9", nil, nil, 422, "query.cursor"},
		"a cursor of the year 0":       {http.MethodGet, "/api/tasks?cursor=eyJzIjoiLWNyZWF0ZWRfYXQiLCJ2IjoiMDAwMC0wMS0wMVQwMDowMDowMFoiLCJpIjoiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIn0", nil, nil, 422, "query.cursor"},
		"a cursor of before all years": {http.MethodGet, "/api/tasks?sort=due_at&cursor=eyJzIjoiZHVlX2F0IiwidiI6IjAwMDEtMDEtMDFUMDA6MDA6MDArMTQ6MDAiLCJpIjoiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIn0", nil, nil, 422, "query.cursor"},
		"a parent that is none":        {http.MethodGet, "/api/tasks?parent_id=x", nil, nil, 422, "query.parent_id"},
		"a series that is none":        {http.MethodGet, "/api/tasks?series_id=x", nil, nil, 422, "query.series_id"},
		"an address of nothing":        {http.MethodGet, "/api/nothing", nil, nil, 404, ""},
		"a method that is none":        {http.MethodPost, path, `{}`, nil, 405, ""},
		"a wrong sign-in":              {http.MethodPost, "/api/auth/login", object{"email": "nobody@example.org", "password": "wrong"}, nil, 401, ""},
		"an address that is taken":     {http.MethodPost, "/api/auth/register", object{"email": strings.ToUpper(u.email), "password": "correct horse battery"}, nil, 409, "body.email"},
	} {
		t.Run(name, func(t *testing.T) {
			a := u.do(c.method, c.path, c.body, c.header...)
			require.Equal(t, c.status, a.status, "%s", a.body)
			require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
			p := a.problem()
			require.Equal(t, a.status, p.Status)
			require.Equal(t, a.header.Get("X-Request-Id"), p.RequestID)
			if c.location != "" {
				require.NotEmpty(t, p.Errors, "%s", a.body)
				require.Equal(t, c.location, p.Errors[0].Location, "%s", a.body)
			}
			require.Equal(t, before, s.state())
		})
	}
}
