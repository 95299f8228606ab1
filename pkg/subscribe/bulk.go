package subscribe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// readBulk reads a bulk of the sidecar. It says false of what is none.
func readBulk(topic string, body []byte) ([]delivery, bool) {
	if deliveries, ok := readWritten(topic, body); ok {
		return deliveries, true
	}
	return unmarshalBulk(topic, body)
}

func unmarshalBulk(topic string, body []byte) ([]delivery, bool) {
	var bulk struct {
		Entries *[]entry `json:"entries"`
	}
	// What is no JSON object at all is a single event, and a bad one.
	if !bytes.Contains(body, []byte(`"entries"`)) || json.Unmarshal(body, &bulk) != nil || bulk.Entries == nil {
		return nil, false
	}
	deliveries := make([]delivery, len(*bulk.Entries))
	for i, e := range *bulk.Entries {
		deliveries[i] = newDelivery(topic, e.EntryID, unwrap(e.Event), e.Metadata)
	}
	return deliveries, true
}

// readWritten reads a bulk that is written as daprd writes one of raw records: the entries
// first, their members in order, the events in base64, all other texts plain. encoding/json
// goes through such a bulk twice, byte by byte, which takes more than all else that is done
// for an event without effect. Whatever differs, valid or not, is left to it: then this says
// false.
func readWritten(topic string, body []byte) ([]delivery, bool) {
	rest, ok := bytes.CutPrefix(body, []byte(`{"entries":[`))
	if !ok {
		return nil, false
	}
	var deliveries []delivery
	for {
		var d delivery
		if d, rest, ok = readEntry(topic, rest); !ok {
			return nil, false
		}
		deliveries = append(deliveries, d)
		next, more := bytes.CutPrefix(rest, []byte(","))
		if !more {
			break
		}
		rest = next
	}
	rest, ok = bytes.CutPrefix(rest, []byte("]"))
	if !ok {
		return nil, false
	}
	// The rest of the object is short. Nothing of it is wanted, unless it has entries again.
	var other struct {
		Entries json.RawMessage `json:"entries"`
	}
	if json.Unmarshal(append([]byte(`{"":null`), rest...), &other) != nil || other.Entries != nil {
		return nil, false
	}
	return deliveries, true
}

// readEntry reads an entry of a bulk, and says what follows it.
func readEntry(topic string, raw []byte) (d delivery, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(raw, []byte(`{"entryId":`))
	if !ok {
		return d, nil, false
	}
	id, rest, ok := readText(rest)
	if !ok {
		return d, nil, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"event":"`)); !ok {
		return d, nil, false
	}
	end := bytes.IndexByte(rest, '"')
	// What reads base64 would pass over the ends of lines, which no JSON text holds.
	if end < 0 || bytes.IndexByte(rest[:end], '\n') >= 0 || bytes.IndexByte(rest[:end], '\r') >= 0 {
		return d, nil, false
	}
	record := make([]byte, base64.StdEncoding.DecodedLen(end))
	n, err := base64.StdEncoding.Decode(record, rest[:end])
	if err != nil {
		return d, nil, false
	}
	rest = rest[end+1:]
	var metadata map[string]string
	if object, has := bytes.CutPrefix(rest, []byte(`,"metadata":{`)); has {
		// A text with a brace in it ends too soon, and is none.
		if end = bytes.IndexByte(object, '}'); end < 0 {
			return d, nil, false
		}
		if metadata, ok = readTexts(string(object[:end])); !ok {
			return d, nil, false
		}
		rest = object[end+1:]
	} else {
		rest = bytes.TrimPrefix(rest, []byte(`,"metadata":null`))
	}
	if kind, has := bytes.CutPrefix(rest, []byte(`,"contentType":`)); has {
		if _, rest, ok = readText(kind); !ok {
			return d, nil, false
		}
	}
	rest, ok = bytes.CutPrefix(rest, []byte("}"))
	return newDelivery(topic, string(id), record[:n], metadata), rest, ok
}

// readTexts reads the members of an object, all of which are plain texts.
func readTexts(members string) (map[string]string, bool) {
	texts := make(map[string]string, 8)
	for rest := members; rest != ""; {
		name, after, ok := readText(rest)
		if !ok || !strings.HasPrefix(after, ":") {
			return nil, false
		}
		value, after, ok := readText(after[1:])
		if !ok {
			return nil, false
		}
		texts[name] = value
		if after == "" {
			break
		}
		if rest, ok = strings.CutPrefix(after, ","); !ok || rest == "" {
			return nil, false
		}
	}
	return texts, true
}

// readText reads a JSON text in which each byte stands for itself, and says what follows it.
func readText[T string | []byte](raw T) (text, rest T, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return text, rest, false
	}
	for i := 1; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			return raw[1:i], raw[i+1:], true
		case c < ' ' || c > '~' || c == '\\':
			return text, rest, false
		}
	}
	return text, rest, false
}
