package database

import (
	"strings"
	"time"
	"unicode/utf8"
)

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
