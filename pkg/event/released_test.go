package event_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a schema said when it was last released (schemas/released), it still says:
// whoever reads v1 relies on it, and events that are older than the code come, too,
// from the log, the broker and a replay. What may be added is fields that need not
// be there, types of event, and words.
func TestSchemasKeepWhatTheyPromised(t *testing.T) {
	files, err := filepath.Glob("schemas/released/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var released object
		require.NoError(t, json.Unmarshal(raw, &released))
		name := filepath.Base(file)
		for _, broken := range breaks("", released, readSchema(t, name[:len(name)-len(".json")])) {
			t.Errorf("pkg/event/schemas/%s: %s", name, broken)
		}
	}
}

func TestWhatBreaksASchema(t *testing.T) {
	const released = `{"type": "object", "required": ["a"], "properties": {
		"a": {"type": ["string", "null"], "maxLength": 9}, "event_type": {"const": "x"}, "kind": {"enum": ["x", "y"]},
		"list": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "integer"}}}}}}`
	for name, c := range map[string]struct {
		change func(root, a, b, kind object)
		want   []string
	}{
		"nothing":       {func(_, _, _, _ object) {}, nil},
		"a description": {func(_, a, _, _ object) { a["description"] = "A." }, nil},
		"an example":    {func(_, a, _, _ object) { a["examples"] = []any{"A"} }, nil},
		"a field more":  {func(root, _, _, _ object) { root["properties"].(object)["c"] = object{"type": "string"} }, nil},
		"a type of event": {func(root, _, _, _ object) {
			root["properties"].(object)["event_type"] = object{"enum": []any{"x", "y"}}
		}, nil},
		"types of event, by a pattern": {func(root, _, _, _ object) {
			root["properties"].(object)["event_type"] = object{"const": "x", "pattern": "^(x|y)$"}
		}, []string{`event_type: its pattern was null and is "^(x|y)$"`}},
		"one type for two": {func(root, _, _, _ object) { root["properties"].(object)["event_type"] = object{"const": "y"} }, []string{`event_type: may no longer be "x": there are events where it is`}},
		"a field less":     {func(root, _, _, _ object) { delete(root["properties"].(object), "kind") }, []string{"kind: is gone: consumers read it"}},
		"a field renamed": {func(root, _, b, _ object) {
			root["properties"].(object)["list"].(object)["items"].(object)["properties"] = object{"c": b}
		}, []string{"list[].b: is gone: consumers read it"}},
		"not required any more": {func(root, _, _, _ object) { root["required"] = []any{} }, []string{"a: is no longer required: consumers rely on it"}},
		"newly required":        {func(root, _, _, _ object) { root["required"] = []any{"a", "kind"} }, []string{"kind: is now required: there are events without it"}},
		"a field more, required": {func(root, _, _, _ object) {
			root["properties"].(object)["c"], root["required"] = object{"type": "string"}, []any{"a", "c"}
		}, []string{"c: is now required: there are events without it"}},
		"a wider type":      {func(_, _, b, _ object) { b["type"] = []any{"integer", "null"} }, []string{`list[].b: may now be "null": consumers do not expect it`}},
		"a narrower type":   {func(_, a, _, _ object) { a["type"] = "string" }, []string{`a: may no longer be "null": there are events where it is`}},
		"another type":      {func(_, _, b, _ object) { b["type"] = "string" }, []string{`list[].b: may no longer be "integer": there are events where it is`, `list[].b: may now be "string": consumers do not expect it`}},
		"a value more":      {func(_, _, _, kind object) { kind["enum"] = []any{"x", "y", "z"} }, []string{`kind: may now be "z": consumers do not expect it`}},
		"a value less":      {func(_, _, _, kind object) { kind["enum"] = []any{"x"} }, []string{`kind: may no longer be "y": there are events where it is`}},
		"any value":         {func(_, _, _, kind object) { delete(kind, "enum") }, []string{`kind: its enum was ["x","y"] and is null`}},
		"a wider bound":     {func(_, a, _, _ object) { a["maxLength"] = 10.0 }, []string{"a: its maxLength was 9 and is 10"}},
		"a bound more":      {func(_, _, b, _ object) { b["minimum"] = 1.0 }, []string{"list[].b: its minimum was null and is 1"}},
		"no field more":     {func(root, _, _, _ object) { root["additionalProperties"] = false }, []string{"the whole: its additionalProperties was null and is false"}},
		"a list that isn't": {func(root, _, b, _ object) { root["properties"].(object)["list"] = b }, []string{`list: may no longer be "array": there are events where it is`, `list: may now be "integer": consumers do not expect it`, `list: its items are gone`}},
	} {
		t.Run(name, func(t *testing.T) {
			var was, is object
			require.NoError(t, json.Unmarshal([]byte(released), &was))
			require.NoError(t, json.Unmarshal([]byte(released), &is))
			all := properties(is, "")
			c.change(is, all["a"], all["list[].b"], all["kind"])
			require.ElementsMatch(t, c.want, breaks("", was, is))
		})
	}
}

// words are what a schema says to people alone.
var words = []string{"title", "description", "examples", "deprecated", "$comment"}

// breaks lists what a schema no longer keeps of what it was: path and rule.
func breaks(path string, was, is object) (broken []string) {
	say := func(path, format string, args ...any) {
		broken = append(broken, cmp.Or(path, "the whole")+": "+fmt.Sprintf(format, args...))
	}
	within := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	keywords := maps.Clone(was)
	maps.Copy(keywords, is)
	for _, word := range words {
		delete(keywords, word)
	}
	// A const is an enum of one.
	before, after := values(was), values(is)
	if before != nil && after != nil {
		delete(keywords, "const")
		delete(keywords, "enum")
		for _, value := range minus(before, after) {
			say(path, "may no longer be %s: there are events where it is", text(value))
		}
		for _, value := range minus(after, before) {
			if path != "event_type" {
				say(path, "may now be %s: consumers do not expect it", text(value))
			}
		}
	}
	// Of more things there are more types of event; those of before match as they did, see
	// the examples.
	if path == "event_type" && was["pattern"] != nil && is["pattern"] != nil {
		delete(keywords, "pattern")
	}
	for _, keyword := range slices.Sorted(maps.Keys(keywords)) {
		before, after := was[keyword], is[keyword]
		switch {
		case keyword == "properties":
			now, _ := after.(object)
			old, _ := before.(object)
			for _, name := range slices.Sorted(maps.Keys(old)) {
				if now[name] == nil {
					say(within(name), "is gone: consumers read it")
					continue
				}
				broken = append(broken, breaks(within(name), old[name].(object), now[name].(object))...)
			}
		case keyword == "required":
			for _, name := range minus(list(before), list(after)) {
				say(within(name.(string)), "is no longer required: consumers rely on it")
			}
			for _, name := range minus(list(after), list(before)) {
				say(within(name.(string)), "is now required: there are events without it")
			}
		case keyword == "type" && before != nil && after != nil:
			for _, kind := range minus(list(before), list(after)) {
				say(path, "may no longer be %s: there are events where it is", text(kind))
			}
			for _, kind := range minus(list(after), list(before)) {
				say(path, "may now be %s: consumers do not expect it", text(kind))
			}
		case keyword == "items" && before != nil && after != nil:
			broken = append(broken, breaks(path+"[]", before.(object), after.(object))...)
		case keyword == "items" && before != nil:
			say(path, "its items are gone")
		case !reflect.DeepEqual(before, after):
			say(path, "its %s was %s and is %s", keyword, text(before), text(after))
		}
	}
	return broken
}

// values are those that a schema allows, nil where it does not list them.
func values(schema object) []any {
	if value, ok := schema["const"]; ok {
		return []any{value}
	}
	return list(schema["enum"])
}

// list is the value of a keyword that may be one or several.
func list(value any) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		return value
	default:
		return []any{value}
	}
}

func minus(a, b []any) (rest []any) {
	for _, value := range a {
		if !slices.Contains(b, value) {
			rest = append(rest, value)
		}
	}
	return rest
}

func text(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
