package subscribe_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/subscribe"
)

// sidecarsBulk is what daprd 1.18.1 makes of two records of Kafka.
const sidecarsBulk = `{"entries":[` +
	`{"entryId":"0","event":"eyJhIjoxfQ==","metadata":{"__key":"k","__offset":"5","__partition":"3","__topic":"audit-logs","partitionKey":"p"},"contentType":"application/octet-stream"},` +
	`{"entryId":"1","event":"","metadata":{"__offset":"6"},"contentType":"application/octet-stream"}],` +
	`"id":"","metadata":null,"pubsubname":"pubsub","topic":"audit-logs","type":"com.dapr.event.sent.bulk"}`

// readsTheSame fails where a bulk is read in one pass that encoding/json does not read the same.
func readsTheSame(t *testing.T, body string) (read bool) {
	t.Helper()
	got, read := subscribe.ReadBulk([]byte(body))
	if read {
		want, ok := subscribe.UnmarshalBulk([]byte(body))
		require.True(t, ok, "%q is no bulk", body)
		require.Equal(t, want, got, "%q", body)
	}
	return read
}

var bulks = map[string]struct {
	body string
	read bool
}{
	"as the sidecar writes it":  {sidecarsBulk, true},
	"no metadata":               {`{"entries":[{"entryId":"0","event":"e30="}]}`, true},
	"metadata that is null":     {`{"entries":[{"entryId":"0","event":"e30=","metadata":null}]}`, true},
	"empty metadata":            {`{"entries":[{"entryId":"0","event":"e30=","metadata":{}}]}`, true},
	"a name of metadata twice":  {`{"entries":[{"entryId":"0","event":"e30=","metadata":{"a":"1","a":"2"}}]}`, true},
	"space behind":              {sidecarsBulk + "\n", true},
	"news behind the entries":   {`{"entries":[{"entryId":"0","event":"e30="}],"news":{"entries":[]}}`, true},
	"no entries":                {`{"entries":[]}`, false},
	"entries twice":             {strings.Replace(sidecarsBulk, `"id":""`, `"entries":[]`, 1), false},
	"entries in capitals, too":  {strings.Replace(sidecarsBulk, `"id":""`, `"ENTRIES":[{"entryId":"2","event":"e30="}]`, 1), false},
	"entries of null, too":      {strings.Replace(sidecarsBulk, `"id":""`, `"entries":null`, 1), false},
	"cut off":                   {sidecarsBulk[:len(sidecarsBulk)-1], false},
	"more behind":               {sidecarsBulk + "{}", false},
	"a comma at the end":        {`{"entries":[{"entryId":"0","event":"e30="}],}`, false},
	"a comma too many":          {`{"entries":[{"entryId":"0","event":"e30="},]}`, false},
	"two commas":                {strings.Replace(sidecarsBulk, `],"id"`, `],,"id"`, 1), false},
	"a comma in metadata":       {`{"entries":[{"entryId":"0","event":"e30=","metadata":{"a":"1",}}]}`, false},
	"a number in metadata":      {`{"entries":[{"entryId":"0","event":"e30=","metadata":{"a":1}}]}`, false},
	"a brace in metadata":       {`{"entries":[{"entryId":"0","event":"e30=","metadata":{"a":"}"}}]}`, false},
	"an escape in metadata":     {`{"entries":[{"entryId":"0","event":"e30=","metadata":{"a":"\u003c"}}]}`, false},
	"no UTF-8 in metadata":      {"{\"entries\":[{\"entryId\":\"0\",\"event\":\"e30=\",\"metadata\":{\"a\":\"\xff\"}}]}", false},
	"a new line in the record":  {"{\"entries\":[{\"entryId\":\"0\",\"event\":\"e3\n0=\"}]}", false},
	"a record that is text":     {`{"entries":[{"entryId":"0","event":"{}"}]}`, false},
	"a record that is no text":  {`{"entries":[{"entryId":"0","event":{}}]}`, false},
	"an escape in the record":   {`{"entries":[{"entryId":"0","event":"e3\u0030="}]}`, false},
	"a member twice":            {`{"entries":[{"entryId":"0","event":"e30=","event":"e31="}]}`, false},
	"a member in capitals, too": {`{"entries":[{"entryId":"0","event":"e30=","EVENT":"e31="}]}`, false},
	"an unknown member":         {`{"entries":[{"entryId":"0","event":"e30=","news":1}]}`, false},
	"an entry that is null":     {`{"entries":[null]}`, false},
	"something else":            {`{"specversion":"1.0"}`, false},
	"nothing":                   {"", false},
}

func TestABulkIsReadAsEncodingJSONReadsIt(t *testing.T) {
	for name, c := range bulks {
		require.Equal(t, c.read, readsTheSame(t, c.body), name)
	}
}

func FuzzBulk(f *testing.F) {
	for _, c := range bulks {
		f.Add(c.body)
	}
	f.Fuzz(func(t *testing.T, body string) { readsTheSame(t, body) })
}
