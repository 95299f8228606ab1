package docs

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFormerOpenAPI(t *testing.T) {
	for name, c := range map[string]struct{ now, then string }{
		"the version":       {`{"openapi": "3.1.0", "info": {"title": "t", "summary": "s", "license": {"name": "l", "identifier": "i"}}}`, `{"openapi": "3.0.3", "info": {"title": "t", "license": {"name": "l"}}}`},
		"null":              {`{"paths": {"type": ["string", "null"]}}`, `{"openapi": "3.0.3", "paths": {"type": "string", "nullable": true}}`},
		"an object or null": {`{"paths": {"anyOf": [{"$ref": "r"}, {"type": "null"}]}}`, `{"openapi": "3.0.3", "paths": {"type": "object", "allOf": [{"$ref": "r"}], "nullable": true}}`},
		"examples":          {`{"paths": [{"examples": ["a", "b"]}]}`, `{"openapi": "3.0.3", "paths": [{"example": "a"}]}`},
		"an example":        {`{"paths": {"example": {"examples": ["a"]}}}`, `{"openapi": "3.0.3", "paths": {"example": {"examples": ["a"]}}}`},
		"a reference":       {`{"components": {"$ref": "r", "description": "d"}}`, `{"openapi": "3.0.3", "components": {"allOf": [{"$ref": "r"}], "description": "d"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := older([]byte(c.now))
			require.NoError(t, err)
			var d map[string]any
			require.NoError(t, json.Unmarshal(raw, &d))
			for _, part := range []string{"paths", "components"} {
				if d[part] == nil {
					delete(d, part)
				}
			}
			raw, err = json.Marshal(d)
			require.NoError(t, err)
			require.JSONEq(t, c.then, string(raw))
		})
	}
}

// Of the API's own nothing is left that only the later version knows.
func TestTheAPIIsDescribedForBoth(t *testing.T) {
	raw, err := older(description)
	require.NoError(t, err)
	require.NotContains(t, string(raw), `"null"`)
	require.NotContains(t, string(raw), `"examples"`)
}
