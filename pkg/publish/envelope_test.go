package publish

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheEnvelopeIsTheOneThatDaprWrites(t *testing.T) {
	for name, c := range map[string]struct{ event, want string }{
		"names are sorted": {
			`{"traceid":"t","specversion":"1.0","data":{"b":1,"a":2}}`,
			`{"data":{"a":2,"b":1},"pubsubname":"pubsub","specversion":"1.0","topic":"reminders","traceid":"t","tracestate":""}`,
		},
		"a trace state stays, a topic does not": {
			`{"traceid":"t","tracestate":"s","topic":"x","pubsubname":"y"}`,
			`{"pubsubname":"pubsub","topic":"reminders","traceid":"t","tracestate":"s"}`,
		},
		"numbers stay as they are written": {
			`{"traceid":"","data":[9007199254740993, 1.0, 1e400, -0, 0.1e-5]}`,
			`{"data":[9007199254740993,1.0,1e400,-0,0.1e-5],"pubsubname":"pubsub","topic":"reminders","traceid":"","tracestate":""}`,
		},
		"what HTML and JavaScript would take amiss is escaped": {
			"{\"traceid\":\"\",\"data\":\"<b>&\u2028 \\u00e9 \\ud83d\\ude00\"}",
			`{"data":"\u003cb\u003e\u0026\u2028 é 😀","pubsubname":"pubsub","topic":"reminders","traceid":"","tracestate":""}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := daprEnvelope([]byte(c.event), "pubsub", "reminders")
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
		})
	}
	_, err := daprEnvelope([]byte(`{"id":`), "pubsub", "reminders")
	require.Error(t, err)
}
