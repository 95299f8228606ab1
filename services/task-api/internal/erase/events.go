package erase

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// object is one in the JSON of an event, whatever its fields: those of later versions, too,
// are to stay.
type object = map[string]any

// logged is an event that may say something of who is erased.
type logged struct {
	At       time.Time `bun:"recorded_at"`
	Position int64     `bun:"position"`
	Topic    string    `bun:"topic"`
	Data     string    `bun:"data"` // "": it says nothing of him
	Gone     bool      `bun:"gone"` // its task has gone with an account
}

// scrubEvents takes what was his out of the events that are kept. They keep their places, their
// ids, and what makes them events: which task or list, which version, when, what was done.
// So a replay, an undo of others and reconcile find what they look for.
func scrubEvents(ctx context.Context, tx *change.Tx, of *erasing) (bool, error) {
	var emails []string // the longest first
	if err := tx.NewRaw("SELECT e FROM task.erasures x, unnest(x.emails) e WHERE x.id = ? ORDER BY length(e) DESC", of.ID).Scan(ctx, &emails); err != nil {
		return false, fmt.Errorf("read whose events are looked for: %w", err)
	}
	at := time.Time{}
	if of.At != nil {
		at = *of.At
	}
	var found []logged
	err := tx.NewRaw(`WITH next AS MATERIALIZED (
			SELECT recorded_at, position, topic, key, data FROM task.events WHERE (recorded_at, position) > (?, ?) ORDER BY recorded_at, position LIMIT ?
		), seen AS (
			-- No EXISTS, for which Postgres would rather read all of purged than look into its index.
			SELECT n.*, coalesce((SELECT p.with_account FROM task.purged p WHERE p.id = n.key::uuid), false) AS gone,
				strpos(n.data, x.user_id::text) > 0 OR `+names("n.data")+` AS his
			FROM next n, task.erasures x WHERE x.id = ?
		)
		SELECT recorded_at, position, topic, gone, CASE WHEN his OR gone THEN data ELSE '' END AS data FROM seen ORDER BY recorded_at, position`,
		at, of.Position, rows, of.ID).Scan(ctx, &found)
	if err != nil {
		return false, fmt.Errorf("read the event log: %w", err)
	}
	s := scrubber{user: of.UserID.String(), emails: emails}
	for _, e := range found {
		if e.Data == "" {
			continue
		}
		data, cut, err := s.scrub(e)
		if err != nil {
			return false, err
		}
		if data != e.Data {
			tx.Queue("UPDATE task.events SET data = ? WHERE recorded_at = ? AND position = ?", data, e.At, e.Position)
		}
		if cut != uuid.Nil {
			tx.Queue("DELETE FROM task.cut_texts WHERE recorded_at = ? AND entity_id = ?", e.At, cut)
		}
	}
	if len(found) == 0 {
		return true, nil
	}
	last := found[len(found)-1]
	of.At, of.Position = &last.At, last.Position
	return false, nil
}

// scrubber takes a user out of events.
type scrubber struct {
	user   string
	emails []string // the longest first
}

// scrub is the data of an event without what it says of him, and the task or comment whose
// whole texts, which the event has cut, are to go with its own.
func (s scrubber) scrub(e logged) (data string, cut uuid.UUID, err error) {
	var d object
	decoder := json.NewDecoder(strings.NewReader(e.Data))
	decoder.UseNumber()
	if err := decoder.Decode(&d); err != nil {
		return "", uuid.Nil, fmt.Errorf("read an event: %w", err)
	}
	his := d["user_id"] == s.user
	switch e.Topic {
	case event.TopicTasks:
		if state, ok := d["task_data"].(object); ok && (his || e.Gone) {
			state["title"], state["description"], state["tags"] = event.ErasedTitle, "", []any{}
		}
	case event.TopicReminders:
		if _, ok := d["title"]; ok && (his || e.Gone) {
			d["title"] = event.ErasedTitle
		}
	case event.TopicAudit:
		actor, _ := d["actor"].(object)
		acted := actor["user_id"] == s.user
		if acted || e.Gone || his && d["list_id"] == nil {
			if about, ok := d["metadata"].(object); ok && about[event.MetaTruncated] != nil {
				if _, id, ok := strings.Cut(text(d["target"]), "/"); ok {
					cut, _ = uuid.Parse(id) // of a target without an id no text is kept
				}
				delete(about, event.MetaTruncated)
			}
			if about, ok := d["metadata"].(object); ok {
				delete(about, event.MetaName) // of an API token
			}
			d["before"], d["after"] = bare(d["before"]), bare(d["after"])
			if strings.HasPrefix(text(d["target"]), "invitation/") {
				d["target"] = "invitation/"
			}
		}
		if acted {
			actor["email"], d["ip"], d["user_agent"], d["request_id"] = "", "", "", ""
		}
	}
	s.walk(d)
	raw, err := marshal(d)
	return string(raw), cut, err
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// bare is a state without what it says: which thing it is, in which list, and its version,
// by which the log is whole.
func bare(state any) any {
	was, ok := state.(object)
	if !ok {
		return nil
	}
	is := object{}
	for _, name := range []string{"id", "list_id", "user_id", "task_id", "version"} {
		if value, ok := was[name]; ok {
			is[name] = value
		}
	}
	return is
}

// walk takes his address, and what is his in things of others, out of a value.
func (s scrubber) walk(value any) any {
	switch v := value.(type) {
	case string:
		return s.without(v)
	case []any:
		for i := range v {
			v[i] = s.walk(v[i])
		}
	case object:
		if author, ok := v["author"].(object); ok && author["user_id"] == s.user {
			if _, ok := v["text"]; ok {
				v["text"] = "" // a comment of his that others have struck out
			}
		}
		if v["user_id"] == s.user {
			if _, ok := v["name"]; ok {
				v["name"] = ""
			}
			if _, ok := v["email"]; ok {
				v["email"] = ""
			}
		}
		for name := range v {
			v[name] = s.walk(v[name])
		}
	}
	return value
}

// without is a text in which his addresses are replaced, however they are written.
func (s scrubber) without(in string) string {
	var out strings.Builder
	for i := 0; i < len(in); {
		if n := s.at(in[i:]); n > 0 {
			out.WriteString(former)
			i += n
			continue
		}
		out.WriteByte(in[i])
		i++
	}
	return out.String()
}

// at is how long, in bytes, the address of his is that a text begins with; 0 for none. A letter
// can be longer in the other case, as ẞ is.
func (s scrubber) at(text string) int {
	for _, email := range s.emails {
		n := 0
		for _, letter := range email {
			there, size := utf8.DecodeRuneInString(text[n:])
			if size == 0 || unicode.ToLower(there) != unicode.ToLower(letter) {
				n = 0
				break
			}
			n += size
		}
		if n > 0 {
			return n
		}
	}
	return 0
}

// marshal writes the data of an event.
func marshal(data any) (json.RawMessage, error) {
	var raw bytes.Buffer
	encoder := json.NewEncoder(&raw)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(data); err != nil {
		return nil, fmt.Errorf("write an event: %w", err)
	}
	return bytes.TrimSpace(raw.Bytes()), nil
}
