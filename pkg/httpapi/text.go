package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// EncodeCursor makes an opaque page cursor of v.
func EncodeCursor(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// DecodeCursor reads what EncodeCursor wrote; anything else is a 422 that
// names the parameter.
func DecodeCursor(cursor string, v any) error {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return Invalid("query.cursor", "not a cursor of this list; leave it out to start from the beginning")
	}
	return nil
}

// TimeRange is what is said of a time that StorableTime refuses.
const TimeRange = "must lie in the years 1900 to 9000"

// StorableTime says whether a time that a client sends is taken: far enough
// for people, and every computation with it stays within what Postgres keeps
// and RFC 3339 can write.
func StorableTime(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 1900 && year <= 9000
}

// Storable says whether Postgres can keep s as text: valid UTF-8 without NUL.
func Storable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}
