// Package openapi holds what the API answers against its description.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

// File is where the description lies in the repository.
const File = "services/task-api/internal/docs/openapi.json"

// Description is the OpenAPI document of the API.
type Description struct {
	Operations []Operation
}

// Operation is a method of a path, such as GET /api/tasks/{id}.
type Operation struct {
	Method, Path string
	ID           string
	Parameters   []Parameter
	// Request is the example of a body, nil where the operation takes none, and
	// ContentType its type.
	Request     json.RawMessage
	ContentType string
	// Success is the status of the answer that is described beside the problems, the lowest
	// of several.
	Success int

	match   *regexp.Regexp
	answers map[string]map[string]*jsonschema.Schema // by status and media type
}

// Parameter is a parameter of an operation, with an example where it has one.
type Parameter struct {
	Name    string
	In      string
	Example any
}

// document is the part of an OpenAPI document that is looked at.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Parameters  []struct {
			Name, In string
			Example  any
			Schema   struct{ Examples []any }
		}
		RequestBody struct {
			Content map[string]struct{ Example json.RawMessage }
		}
		Responses map[string]struct {
			Content map[string]struct{ Example json.RawMessage }
		}
	}
}

// Load reads the description in a file, and compiles its schemas. An answer may have
// no member that they do not name, though clients must bear with it: it is in the
// code then, and not in the description.
func Load(file string) (*Description, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	closeObjects(whole)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", whole); err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	d := &Description{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			op := Operation{Method: strings.ToUpper(method), Path: path, ID: o.OperationID, match: pattern(path), answers: map[string]map[string]*jsonschema.Schema{}}
			for _, p := range o.Parameters {
				example := p.Example
				if example == nil && len(p.Schema.Examples) > 0 {
					example = p.Schema.Examples[0]
				}
				op.Parameters = append(op.Parameters, Parameter{p.Name, p.In, example})
			}
			for kind, content := range o.RequestBody.Content {
				op.ContentType, op.Request = kind, content.Example
			}
			for status, answer := range o.Responses {
				op.answers[status] = map[string]*jsonschema.Schema{}
				if n, _ := strconv.Atoi(status); n < http.StatusMultipleChoices && (op.Success == 0 || n < op.Success) {
					op.Success = n
				}
				for kind, content := range answer.Content {
					schema, err := compiler.Compile("openapi.json#/paths/" + escape(path) + "/" + method + "/responses/" + status + "/content/" + escape(kind) + "/schema")
					if err != nil {
						return nil, fmt.Errorf("%s %s, %s: %w", method, path, status, err)
					}
					op.answers[status][kind] = schema
					if !isJSON(kind) {
						continue
					}
					if err := valid(schema, content.Example); err != nil {
						return nil, fmt.Errorf("the example of %s %s, %s: %w", method, path, status, err)
					}
				}
			}
			d.Operations = append(d.Operations, op)
		}
	}
	// /api/notifications/read-all is matched before /api/notifications/{id}.
	slices.SortFunc(d.Operations, func(a, b Operation) int {
		return strings.Compare(strings.ReplaceAll(a.Path, "{", "~")+a.Method, strings.ReplaceAll(b.Path, "{", "~")+b.Method)
	})
	return d, nil
}

// escape writes a name as a part of a JSON pointer in a URL.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
}

var parameter = regexp.MustCompile(`\\\{[^}]*\\\}`)

func pattern(path string) *regexp.Regexp {
	return regexp.MustCompile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
}

// closeObjects lets the schemas' objects have no members but those that are named.
func closeObjects(node any) {
	switch node := node.(type) {
	case []any:
		for _, value := range node {
			closeObjects(value)
		}
	case map[string]any:
		if _, open := node["additionalProperties"]; !open && node["type"] == "object" && node["properties"] != nil {
			node["additionalProperties"] = false
		}
		for name, value := range node {
			if name != "example" && name != "examples" {
				closeObjects(value)
			}
		}
	}
}

func valid(schema *jsonschema.Schema, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("not as it is described: %w", err)
	}
	return nil
}

// Check says how an answer differs from what is described: a status, a media type or
// a body that is not. What is no part of the described API is not looked at.
func (d *Description) Check(method, path string, status int, contentType string, body []byte) error {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" {
		return fmt.Errorf("the content type %q: %w", contentType, err)
	}
	if kind == "application/problem+json" {
		if err := checkKind(status, body); err != nil {
			return err
		}
	}
	for _, op := range d.Operations {
		if op.Method != method || !op.match.MatchString(path) {
			continue
		}
		answers, ok := op.answers[strconv.Itoa(status)]
		if !ok {
			return fmt.Errorf("%s: the status %d is not described: %s", op.ID, status, body)
		}
		if len(body) == 0 && len(answers) == 0 {
			return nil
		}
		schema := answers[kind]
		if schema == nil {
			return fmt.Errorf("%s: the media type %q of a %d is not described", op.ID, kind, status)
		}
		if !isJSON(kind) {
			return nil // lines, or events, each of which is something by itself
		}
		if err := valid(schema, body); err != nil {
			return fmt.Errorf("%s, %d: %w: %s", op.ID, status, err, body)
		}
		return nil
	}
	return nil
}

func isJSON(kind string) bool { return kind == "application/json" || strings.HasSuffix(kind, "+json") }

// checkKind says whether a problem is of a known kind.
func checkKind(status int, body []byte) error {
	var p httpapi.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		return fmt.Errorf("the problem document: %w", err)
	}
	code, ok := strings.CutPrefix(p.Type, "/problems/")
	kind, known := httpapi.KindOf(code)
	if !ok || !known || kind.Status != status || kind.Title != p.Title || p.Status != status {
		return fmt.Errorf("a problem that /problems does not list so: %d %s", status, body)
	}
	return nil
}

// Transport sends requests through next, and fails where an answer is not as it is
// described.
func (d *Description) Transport(next http.RoundTripper) http.RoundTripper {
	return checked{d, next}
}

type checked struct {
	d    *Description
	next http.RoundTripper
}

func (c checked) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.d.Check(req.Method, req.URL.Path, res.StatusCode, res.Header.Get("Content-Type"), body); err != nil {
		return nil, err
	}
	return res, nil
}
