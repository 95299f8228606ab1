package event_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

func header(topic, kind string) event.Header {
	return event.Header{
		ID: uuid.MustParse("0190c8a0-0000-7000-8000-000000000001"), Topic: topic, Type: kind,
		Subject: "0190c8a0-0000-7000-8000-000000000002", PartitionKey: "0190c8a0-0000-7000-8000-000000000002",
		Time: time.Date(2027, 3, 27, 8, 0, 0, 123456000, time.UTC), Sequence: 42,
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

// What goes over the wire is a promise: a change of it shows as a change of a
// golden file.
func TestTheEnvelope(t *testing.T) {
	for topic, kind := range map[string]string{
		event.TopicTasks: event.TaskCreated, event.TopicReminders: event.ReminderDue, event.TopicAudit: event.AuditPrefix + event.TaskCreated,
	} {
		t.Run(topic, func(t *testing.T) {
			raw, err := event.Encode(header(topic, kind), json.RawMessage(`{"event_type":"`+kind+`"}`))
			require.NoError(t, err)
			file := "testdata/" + topic + ".json"
			if *update {
				require.NoError(t, os.WriteFile(file, append(raw, '\n'), 0o644))
			}
			golden, err := os.ReadFile(file)
			require.NoError(t, err)
			require.JSONEq(t, string(golden), string(raw))

			e, err := event.Decode(raw)
			require.NoError(t, err)
			require.Equal(t, kind, e.Type())
			require.Equal(t, "0000000000000000042", e.Extensions()[event.ExtensionSequence])
			data, err := event.DataOf[event.Frame](e)
			require.NoError(t, err)
			require.Equal(t, kind, data.EventType)
		})
	}
}

func TestWhatDecodeRefuses(t *testing.T) {
	raw, err := event.Encode(header(event.TopicTasks, event.TaskCreated), json.RawMessage(`{}`))
	require.NoError(t, err)
	good := string(raw)
	for name, c := range map[string]struct{ bad, says string }{
		"nothing":           {"", "empty"},
		"no JSON":           {"x", "not a CloudEvent"},
		"an array":          {"[]", "not a CloudEvent"},
		"no type":           {strings.Replace(good, `"type":`, `"kind":`, 1), "type"},
		"a numeric type":    {strings.Replace(good, `"type":"task.created"`, `"type":7`, 1), "not a CloudEvent"},
		"another version":   {strings.Replace(good, `"specversion":"1.0"`, `"specversion":"2.0"`, 1), "specversion"},
		"an unknown major":  {strings.Replace(good, "task-event/v1", "task-event/v2", 1), "another major version"},
		"an unknown schema": {strings.Replace(good, "https://github.com/taskwire", "https://example.org", 1), "unknown dataschema"},
		"no schema":         {strings.Replace(good, `"dataschema"`, `"otherschema"`, 1), "unknown dataschema"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := event.Decode([]byte(c.bad))
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestWhatIsUnknownIsAccepted(t *testing.T) {
	raw, err := event.Encode(header(event.TopicTasks, event.TaskCreated), json.RawMessage(`{"event_type":"task.created","later":{"added":true}}`))
	require.NoError(t, err)
	e, err := event.Decode([]byte(strings.Replace(string(raw), `{`, `{"newextension":"x",`, 1)))
	require.NoError(t, err)
	_, err = event.DataOf[event.TaskEvent](e)
	require.NoError(t, err)
}

func TestAnOccurrenceHasOneID(t *testing.T) {
	series := uuid.MustParse("0190c8a0-0000-7000-8000-000000000003")
	one := event.OccurrenceID(series, "2027-03-28T09:00:00")
	require.Equal(t, one, event.OccurrenceID(series, "2027-03-28T09:00:00"))
	require.NotEqual(t, one, event.OccurrenceID(series, "2027-03-29T09:00:00"))
	require.Equal(t, uuid.Version(5), one.Version())
	require.Equal(t, "bc947143", one.String()[:8], "it must never change: tasks of such ids exist")
}

// FuzzDecode: whatever the bytes, there is an event or a reason, and an event
// that was taken can be written and read again.
func FuzzDecode(f *testing.F) {
	raw, err := event.Encode(header(event.TopicTasks, event.TaskCreated), json.RawMessage(`{"event_type":"task.created"}`))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(raw), "", "null", "{}", `{"traceid":17}`, strings.Repeat("[", 1000), `{"id":1e999}`, `{"data_base64":"!"}`, `{"time":"9999-99-99"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		readsAsTheSDK(t, raw)
		e, err := event.Decode(raw)
		if err != nil {
			return
		}
		if e.ID() == "" || e.Source() == "" || e.Type() == "" {
			t.Fatalf("an event without a name was taken: %s", raw)
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("write what was read: %v", err)
		}
		if _, err := event.Decode(again); err != nil {
			t.Fatalf("read what was written: %v", err)
		}
	})
}

// Each repetition of an event is the same bytes, also where it has no trace to
// go on from and a sidecar would make one up.
func TestAnEventWithoutARequestBeginsATraceOfItsOwn(t *testing.T) {
	raw, err := event.Encode(event.Header{
		ID: uuid.MustParse("01a208cf-02cf-7def-9b54-d12a6f488f8a"), Topic: event.TopicReminders, Type: event.ReminderDue,
		Subject: "s", Time: time.Unix(0, 0), PartitionKey: "s", Sequence: 1,
	}, json.RawMessage(`{}`))
	require.NoError(t, err)
	var got struct{ TraceParent, TraceID string }
	require.NoError(t, json.Unmarshal(raw, &got))
	require.Equal(t, "00-01a208cf02cf7def9b54d12a6f488f8a-9b54d12a6f488f8a-00", got.TraceParent)
	require.Equal(t, got.TraceParent, got.TraceID)
}

// readsAsTheSDK fails where an event is read without the SDK, and the SDK would not read it the same.
func readsAsTheSDK(t *testing.T, raw []byte) (read bool) {
	t.Helper()
	var got, want cloudevents.Event
	if !event.Encoded(raw, &got) {
		return false
	}
	require.NoError(t, json.Unmarshal(raw, &want), "%s", raw)
	require.Equal(t, want, got, "%s", raw)
	return true
}

func TestAnEncodedEventIsReadAsTheSDKWould(t *testing.T) {
	encode := func(data string) string {
		raw, err := event.Encode(header(event.TopicTasks, event.TaskCreated), json.RawMessage(data))
		require.NoError(t, err)
		return string(raw)
	}
	usual := encode(`{"a":"\u00fc\n","b":[1,2e3,null]}`)
	swap := func(old, by string) string {
		require.Contains(t, usual, old)
		return strings.Replace(usual, old, by, 1)
	}
	for name, c := range map[string]struct {
		raw  string
		fast bool
	}{
		"as it is encoded":               {usual, true},
		"data of another member's name":  {encode(`{"data":{"id":"x"},"specversion":"0.3"}`), true},
		"no JSON in the data":            {swap(`[1,2e3,null]`, `[1,2e,null]`), false},
		"cut off":                        {usual[:len(usual)-1], false},
		"more behind it":                 {usual + "{}", false},
		"a second data":                  {encode(`{},"data":{}`), false},
		"a second id":                    {swap(`,"data":`, `,"id":"x","data":`), false},
		"an id that ends in a backslash": {swap(`","source"`, `\","source"`), false},
		"an escape":                      {swap(`task.created`, `task.\u0063reated`), false},
		"no UTF-8":                       {swap(`task.created`, "task.\xff"), false},
		"a control character":            {swap(`task.created`, "task.\n"), false},
		"an empty subject":               {swap(header("", "").Subject, ""), false},
		"a name in capitals":             {swap(`"subject"`, `"Subject"`), false},
		"another version":                {swap(`"1.0"`, `"0.3"`), false},
		"another content":                {swap(`application/json`, `text/plain`), false},
		"a time that is none":            {swap(`2027-03-27`, `2027-13-27`), false},
		"data that is no object":         {encode(`[]`), false},
		"a space before the data":        {encode(` {}`), false},
		"a space behind":                 {usual + " ", false},
		"a large one":                    {encode(`{"a":"` + strings.Repeat("x", 16<<10) + `"}`), false},
		"nested too deep":                {encode(`{"a":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`), false},
	} {
		require.Equal(t, c.fast, readsAsTheSDK(t, []byte(c.raw)), name)
	}
}
