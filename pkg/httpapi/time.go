package httpapi

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/database"
)

const timeMessage = "must be a time such as 2027-03-28T09:00:00Z"

// Time reads a time (RFC 3339) in a place of a request; nil for "". An input says it
// as a text: as a time, one of the year 1 would be taken for none. Its error is a
// Problem.
func Time(location, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || !isTimestamp(text) {
		return nil, Invalid(location, timeMessage)
	}
	if !database.StorableTime(at) {
		return nil, Invalid(location, database.TimeRange)
	}
	return &at, nil
}

// isTimestamp says whether a text that time.Parse takes is one of RFC 3339. It takes
// 9:00 for 09:00, a comma for a point, and +24:00 (https://go.dev/issue/54580).
func isTimestamp(text string) bool {
	const seconds, offset = len("2006-01-02T15:04:05"), len("+07:00")
	if len(text) <= seconds || text[len("2006-01-02T15")] != ':' || text[seconds] == ',' {
		return false
	}
	if text[len(text)-1] == 'Z' {
		return true
	}
	hours, minutes := text[len(text)-offset+1:len(text)-3], text[len(text)-2:]
	return hours < "24" && minutes < "60"
}

// Timestamp is a time in a body. What Go takes for one though RFC 3339 does not,
// Register refuses by name.
type Timestamp struct {
	time.Time
	loose bool
}

// UnmarshalJSON reads a text that time.Parse takes.
func (t *Timestamp) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, text)
	t.Time, t.loose = at, err == nil && !isTimestamp(text)
	return err
}

// Schema describes a date-time.
func (t Timestamp) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// Pointer is the time, or nil for none.
func (t *Timestamp) Pointer() *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}
