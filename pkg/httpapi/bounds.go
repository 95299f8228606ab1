package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// Bounds on what a body is made of, beside its bytes. Decoding and validating
// cost by the value, not by the byte: 1 MiB of "[]," is 350,000 values and half
// a second. The largest body of the contract, 500 operations of 40 values each,
// is below them.
const (
	maxValues = 25_000 // members and elements
	maxDepth  = 64     // objects and arrays within one another
	maxName   = 64     // bytes of a member's name in a location; none of ours is as long
)

// jsonFormat refuses bytes that are no UTF-8 (RFC 8259, section 8.1), which
// encoding/json would replace: a text would not be stored as it was sent.
var jsonFormat = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}

// unmarshal is called twice for a body: first for its plain values (*any), which
// huma validates, then for the input's type.
func unmarshal(data []byte, v any) error {
	oddNames, err := checkBounds(data)
	if err != nil {
		return err // twice, since huma goes on after the first time
	}
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	if plain, ok := v.(*any); ok && oddNames {
		renameOdd(*plain)
	}
	return nil
}

// checkBounds reads over a JSON text without decoding it, in about 1 ms for
// 1 MiB. Where the text is not JSON its answer is of no use, and encoding/json
// will say what is wrong. oddNames tells that renameOdd must look at the names.
func checkBounds(data []byte) (oddNames bool, err error) {
	if !utf8.Valid(data) {
		return false, errors.New("the body is not UTF-8")
	}
	depth, values := 0, 0
	text := data[:0] // the last text, which is a name if a colon follows
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			end := i + 1
			for end < len(data) && data[end] != '"' {
				if data[end] == '\\' {
					end++
				}
				end++
			}
			text = data[i+1 : min(end, len(data))]
			i = end
		case ':':
			oddNames = oddNames || isOdd(string(text))
		case '{', '[':
			depth++
			values++
		case '}', ']':
			depth--
		case ',':
			values++
		}
		switch {
		case depth > maxDepth:
			return false, fmt.Errorf("the body nests deeper than %d objects and arrays", maxDepth)
		case values > maxValues:
			return false, fmt.Errorf("the body has more than %d members and elements", maxValues)
		}
	}
	return oddNames, nil
}

// isOdd tells a name that huma's path of a location can not take: it is a
// buffer that separates by dots and brackets, and does not get rid of a name
// with these in it. Each such name made all later locations longer. A name with
// an escape is odd, too, until it is decoded.
func isOdd(name string) bool { return len(name) > maxName || strings.ContainsAny(name, `.[\`) }

// renameOdd makes the names of unknown members short and plain, and leaves out
// those of an object that would not be listed. A new name is unknown as well,
// since no name of the contract is odd.
func renameOdd(v any) {
	switch v := v.(type) {
	case map[string]any:
		var odd []string
		for name, value := range v {
			renameOdd(value)
			if isOdd(name) {
				odd = append(odd, name)
			}
		}
		for i, name := range odd {
			if i <= MaxErrors {
				v[plainName(name)] = v[name]
			}
			delete(v, name)
		}
	case []any:
		for _, value := range v {
			renameOdd(value)
		}
	}
}

var plainNames = strings.NewReplacer(".", "%2E", "[", "%5B", `\`, "%5C")

func plainName(name string) string {
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	return plainNames.Replace(name)
}
