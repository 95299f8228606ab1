package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// Bounds on what a body is made of, beside its bytes. Decoding and validating
// cost by the value, not by the byte: 1 MiB of "[]," is 350,000 values and half
// a second. The largest body of the contract, 500 operations of 20 values each,
// is not above them.
const (
	maxValues = 10_000    // members and elements
	maxDepth  = 64        // objects and arrays within one another
	maxName   = 64        // bytes of a member's name in a location; none of ours is as long
	maxNumber = 400       // digits in a row; 17 tell every float64 from the others
	maxText   = 256 << 10 // bytes of a text as it is written; 20,000 letters of 12 bytes are less
)

// jsonFormat refuses bytes that are no UTF-8 (RFC 8259, section 8.1), which
// encoding/json would replace: a text would not be stored as it was sent.
var jsonFormat = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}

// unmarshal is called twice for a body: first for its plain values (*any), which
// huma validates, then for the input's type.
func unmarshal(data []byte, v any) error {
	found, err := checkBounds(data)
	if err != nil {
		return err // twice, since huma goes on after the first time
	}
	plain, first := v.(*any)
	if found.longText && !first {
		// The validation has named it, where it is not a member that is ignored.
		return fmt.Errorf("a text is longer than %d bytes", maxText)
	}
	if err := json.Unmarshal(data, v); err != nil {
		var noTime *time.ParseError
		if errors.As(err, &noTime) {
			// Its text quotes what was sent, letter by letter, at 30 ms for 1 MiB.
			noTime.Value, noTime.ValueElem = start(noTime.Value), start(noTime.ValueElem)
		}
		var noNumber *json.UnmarshalTypeError
		if errors.As(err, &noNumber) {
			// A number such as 1e1, which the validation takes. The text names Go's types.
			return errors.New("a number must be written without point and exponent")
		}
		return err
	}
	if first && found.oddNames {
		renameOdd(*plain)
	}
	return nil
}

func start(text string) string { return text[:min(len(text), maxName)] }

// found is what checkBounds has seen in a body.
type found struct {
	oddNames bool // renameOdd must look at the names
	longText bool // a text is longer than maxText
}

// checkBounds reads over a JSON text without decoding it, in about 1 ms for
// 1 MiB. Where the text is not JSON its answer is of no use, and encoding/json
// will say what is wrong.
func checkBounds(data []byte) (found, error) {
	var f found
	if !utf8.Valid(data) {
		return f, errors.New("the body is not UTF-8")
	}
	depth, values, number := 0, 0, 0
	text := data[:0] // the last text, which is a name if a colon follows
	for i := 0; i < len(data); i++ {
		if c := data[i]; c >= '0' && c <= '9' || c == '.' {
			number++
		} else {
			number = 0
		}
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
			f.longText = f.longText || len(text) > maxText
			i = end
		case ':':
			f.oddNames = f.oddNames || isOdd(string(text))
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
			return f, fmt.Errorf("the body nests deeper than %d objects and arrays", maxDepth)
		case values > maxValues:
			return f, fmt.Errorf("the body has more than %d members and elements", maxValues)
		case number > maxNumber:
			return f, fmt.Errorf("a number has more than %d digits", maxNumber)
		}
	}
	return f, nil
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
