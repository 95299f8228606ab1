package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// schema is what the page's types are made of, of JSON Schema in OpenAPI 3.1.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       any               `json:"type"`
	Enum       []any             `json:"enum"`
	AnyOf      []schema          `json:"anyOf"`
	OneOf      []schema          `json:"oneOf"`
	Items      *schema           `json:"items"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
}

// used are the schemas that the page names; what they refer to comes with them.
var used = []string{
	"User", "Task", "TaskInput", "PreviewInput", "Preview", "QuickAddInput", "QuickAdded", "QuickAddPreview", "TaskPatch", "TaskMove", "List", "ListInput", "ListPatch",
	"FeedPage", "AuditPage", "Comment", "CommentPage", "NotificationPage", "TrashPage", "Undone", "BulkInput", "BulkOutput", "Problem", "SignedIn", "Registration", "Credentials",
	"ProfilePatch", "PasswordChange", "SessionList", "TokenPage", "TokenInput", "CreatedToken", "PasskeyOptions", "Passkey", "PasskeyList", "SecondFactor", "TOTP", "RecoveryCodes",
	"ProviderList", "IdentityList", "ToBeErased", "InvitationPage", "InvitationInput", "ListMove", "OperatorState", "DeadLetters", "Settled",
}

// types are the TypeScript types of the page, of the description of the API.
func types(openapi []byte) ([]byte, error) {
	var d struct {
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(openapi, &d); err != nil {
		return nil, fmt.Errorf("read the description of the API: %w", err)
	}
	written := map[string]string{}
	for todo := slices.Clone(used); len(todo) > 0; todo = todo[1:] {
		name := todo[0]
		if _, ok := written[name]; ok {
			continue
		}
		s, ok := d.Components.Schemas[name]
		if !ok {
			return nil, fmt.Errorf("the API has no schema %s any more", name)
		}
		refer := func(other string) { todo = append(todo, other) }
		var b strings.Builder
		fmt.Fprintf(&b, "export interface %s {\n", name)
		for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
			optional := "?"
			if slices.Contains(s.Required, field) {
				optional = ""
			}
			fmt.Fprintf(&b, "  %s%s: %s;\n", field, optional, typeOf(s.Properties[field], refer))
		}
		b.WriteString("}\n")
		written[name] = b.String()
	}
	var all strings.Builder
	all.WriteString("// Made of /openapi.json: go test ./web/build -run '^TestTypes$' -update\n")
	for _, name := range slices.Sorted(maps.Keys(written)) {
		all.WriteString("\n" + written[name])
	}
	return []byte(all.String()), nil
}

func typeOf(s schema, refer func(string)) string {
	var parts []string
	add := func(part string) {
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if s.Ref != "" {
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		refer(name)
		return name
	}
	for _, one := range slices.Concat(s.AnyOf, s.OneOf) {
		add(typeOf(one, refer))
	}
	for _, value := range s.Enum {
		switch v := value.(type) {
		case string:
			add(strconv.Quote(v))
		case nil:
			add("null")
		default:
			add(fmt.Sprint(v))
		}
	}
	if len(parts) == 0 {
		kinds, several := s.Type.([]any)
		if !several {
			kinds = []any{s.Type}
		}
		for _, kind := range kinds {
			switch kind {
			case "string", "boolean", "null":
				add(fmt.Sprint(kind))
			case "integer", "number":
				add("number")
			case "array":
				item := "unknown"
				if s.Items != nil {
					item = typeOf(*s.Items, refer)
				}
				if strings.Contains(item, " ") {
					item = "(" + item + ")"
				}
				add(item + "[]")
			case "object":
				add("Record<string, unknown>")
			default:
				add("unknown")
			}
		}
	}
	return strings.Join(parts, " | ")
}
