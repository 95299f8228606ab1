// Package costtest sends a service the requests that would cost it most, and
// measures its CPU time: no request of 1 MiB may cost more than Budget.
package costtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Budget is the most CPU time that a request may cost.
const Budget = 50 * time.Millisecond

const (
	bodySize   = 1<<20 - 1 // one byte less than what is refused unread
	headerSize = 60 << 10  // net/http refuses 64 KiB
	// The cheapest counts: others work in the process beside the request, and what shares the
	// processor makes all dearer for some time.
	tries = 12

	// fewSize is what some 9,000 members of a small name take: no more than a body may
	// have (httpapi), so that what looks at each does.
	fewSize = 90_000
)

// Route is an operation with the requests that it takes.
type Route struct {
	Method, Path string
	Body         string            // a JSON body that is valid, or ""; the attacks are made from it
	Query        []string          // the names of its parameters
	Header       map[string]string // as with a token
	More         []string          // further bodies that are dear to it alone
}

// WithoutRace skips a test that measures what things cost or how long they take under the
// race detector, and so comes first in it. `make test-unit` runs it by itself, without.
func WithoutRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("under the race detector everything costs up to 30 times as much; measured without it")
	}
}

// Run attacks each route of the service at a base URL, whose CPU time clock tells. Under
// the race detector it skips the test (WithoutRace).
func Run(t *testing.T, base string, clock func() time.Duration, routes ...Route) {
	t.Helper()
	WithoutRace(t)
	for _, route := range routes {
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			for _, a := range route.attacks() {
				a.measure(t, base, clock)
			}
		})
	}
}

type attack struct {
	Route
	name   string
	query  string
	header http.Header
}

func (a attack) measure(t *testing.T, base string, clock func() time.Duration) {
	t.Helper()
	cheapest, status := time.Hour, 0
	for range tries {
		before := clock()
		status = a.send(t, base)
		if cheapest = min(cheapest, clock()-before); cheapest <= Budget {
			break
		}
	}
	if status >= http.StatusInternalServerError {
		t.Errorf("%s: %d", a.name, status)
	}
	if cheapest > Budget {
		t.Errorf("%s: %s of CPU, answered with %d", a.name, cheapest, status)
	}
}

func (a attack) send(t *testing.T, base string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := base + a.Path
	if a.query != "" {
		path += "?" + a.query
	}
	req, err := http.NewRequestWithContext(ctx, a.Method, path, strings.NewReader(a.Body))
	require.NoError(t, err)
	if a.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range a.Header {
		req.Header.Set(name, value)
	}
	maps.Copy(req.Header, a.header)
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err, a.name)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err, a.name)
	return res.StatusCode
}

func (r Route) attacks() []attack {
	var all []attack
	add := func(name string, change func(*attack)) {
		a := attack{Route: r, name: name}
		change(&a)
		all = append(all, a)
	}
	for name, body := range values() {
		if r.Body == "" {
			break
		}
		add("a body of "+name, func(a *attack) { a.Body = body })
	}
	for i, body := range r.More {
		add(fmt.Sprintf("its own body %d, %.120s", i, body), func(a *attack) { a.Body = body })
	}
	if r.Body != "" {
		for name, body := range mutations(r.Body) {
			add(name, func(a *attack) { a.Body = body })
		}
	}
	if r.Method == http.MethodGet {
		for name, query := range queries(r.Query) {
			add("a query of "+name, func(a *attack) { a.query = query })
		}
	}
	for name, header := range headers() {
		add("headers of "+name, func(a *attack) { a.header = header })
	}
	return all
}

// fill repeats an item with commas between, up to size bytes with the frame.
func fill(open, item, end string, size int) string {
	n := (size - len(open) - len(end)) / (len(item) + 1)
	return open + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + end
}

// numbered is fill with items of which each is another.
func numbered(open, format, end string, size int) string {
	var b strings.Builder
	b.WriteString(open)
	for i := 0; b.Len() < size-len(end)-len(format)-10; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, i)
	}
	b.WriteString(end)
	return b.String()
}

// ofMembers are the values that a member can make dearer than a whole body can.
var ofMembers = []string{
	"a text of escapes", "a text of surrogates", "many texts", "many numbers", "many empty objects", "few thousand members with dots",
	"thousands of texts", "thousands of numbers", "thousands of empty objects", "an escaped text that is just short enough",
}

// values are JSON values of 1 MiB, as bodies and as members of one.
func values() map[string]string { return sized(bodySize) }

func sized(size int) map[string]string {
	return map[string]string{
		"an empty text":                   `""`,
		"a long text":                     `"` + strings.Repeat("x", size-2) + `"`,
		"a text of escapes":               `"` + strings.Repeat(`\u00e9`, (size-2)/6) + `"`,
		"a text of surrogates":            `"` + strings.Repeat(`\ud83d\ude00`, (size-2)/12) + `"`,
		"a text of short escapes":         `"` + strings.Repeat(`\n`, (size-2)/2) + `"`,
		"a text of quotes":                `"` + strings.Repeat(`\"`, (size-2)/2) + `"`,
		"a text of wide letters":          `"` + strings.Repeat("日", (size-2)/3) + `"`,
		"a huge number":                   strings.Repeat("9", size),
		"a long fraction":                 "0." + strings.Repeat("3", size-2),
		"a number of exponents":           "1e" + strings.Repeat("9", size-2),
		"many texts":                      fill("[", `"x"`, "]", size),
		"many texts of a date":            fill("[", `"2027-01-01T00:00:00Z"`, "]", size),
		"many numbers":                    fill("[", "0", "]", size),
		"many long numbers":               fill("[", "1.7976931348623157e308", "]", size),
		"many nulls":                      fill("[", "null", "]", size),
		"many empty arrays":               fill("[", "[]", "]", size),
		"many empty objects":              fill("[", "{}", "]", size),
		"many objects":                    fill("[", `{"a":1}`, "]", size),
		"many nests":                      fill("[", strings.Repeat("[", 30)+strings.Repeat("]", 30), "]", size),
		"many members":                    numbered("{", `"m%d":0`, "}", size),
		"few thousand members":            numbered("{", `"m%d":0`, "}", min(size, fewSize)),
		"members with dots":               numbered("{", `"a.b%d":0`, "}", size),
		"members with escaped dots":       numbered("{", `"\u002e%d":0`, "}", size),
		"members with brackets":           numbered("{", `"[%d":0`, "}", size),
		"few thousand members with dots":  numbered("{", `"a.b%d":0`, "}", min(size, fewSize)),
		"members with long names":         numbered("{", `"`+strings.Repeat("n", 50)+`.%d":0`, "}", size),
		"members with longer names":       numbered("{", `"`+strings.Repeat("n", 2000)+`%d":0`, "}", size),
		"a member with a long name":       `{"` + strings.Repeat("n", size-6) + `":0}`,
		"a member with a name of dots":    `{"` + strings.Repeat(".", size-6) + `":0}`,
		"a member many times":             fill("{", `"title":0`, "}", size),
		"deep arrays":                     strings.Repeat("[", size/2) + strings.Repeat("]", size/2),
		"deep objects":                    strings.Repeat(`{"a":`, size/6) + "0" + strings.Repeat("}", size/6),
		"arrays that do not end":          strings.Repeat("[", size),
		"objects that do not end":         strings.Repeat(`{"a":`, size/5),
		"a text that does not end":        `"` + strings.Repeat("x", size-1),
		"spaces":                          strings.Repeat(" ", size),
		"commas":                          strings.Repeat(",", size),
		"colons":                          strings.Repeat(`"":`, size/3),
		"bytes that are no UTF-8":         strings.Repeat("\xff", size),
		"zeros":                           strings.Repeat("\x00", size),
		"a text that is wrong at its end": `{"title":"` + strings.Repeat("x", size-12) + `"`,

		// Within the bounds of a body (httpapi), so that they are looked at.
		"thousands of texts":                         fill("[", `"`+strings.Repeat("x", 120)+`"`, "]", size),
		"thousands of escaped texts":                 fill("[", `"`+strings.Repeat(`\u00e9`, 20)+`"`, "]", size),
		"thousands of dates":                         fill("[", `"2027-01-01T00:00:00.123456789+14:00"`, "]", min(size, 350_000)),
		"thousands of numbers":                       fill("[", "0", "]", min(size, 19_000)),
		"thousands of nulls":                         fill("[", "null", "]", min(size, 49_000)),
		"thousands of empty objects":                 fill("[", "{}", "]", min(size, 14_000)),
		"thousands of objects":                       fill("[", `{"a":1}`, "]", min(size, 39_000)),
		"thousands of members that are long":         numbered("{", `"`+strings.Repeat("n", 50)+`%d":"`+strings.Repeat("x", 60)+`"`, "}", size),
		"thousands of long members with dots":        numbered("{", `"`+strings.Repeat("n", 50)+`.%d":0`, "}", min(size, 530_000)),
		"a member thousands of times":                fill("{", `"title":"`+strings.Repeat("x", 100)+`"`, "}", size),
		"numbers that are just short enough":         fill("[", strings.Repeat("9", 400), "]", size),
		"nests that are just flat enough":            fill("[", strings.Repeat("[", 60)+strings.Repeat("]", 60), "]", min(size, 19_000)),
		"texts that are just short enough":           fill("[", `"`+strings.Repeat("x", 260_000)+`"`, "]", size),
		"an escaped text that is just short enough":  `"` + strings.Repeat(`\u00e9`, min(size-2, 262_000)/6) + `"`,
		"a text of quotes that is just short enough": `"` + strings.Repeat(`\"`, min(size-2, 262_000)/2) + `"`,
	}
}

// mutations of a valid body: each of its members is each of the values, many of
// itself in an array, and given many times; each object has many more members.
func mutations(body string) map[string]string {
	found := map[string]string{}
	var walk func(path string, raw string, place func(string) string)
	walk = func(path, raw string, place func(string) string) {
		room := bodySize - len(place(""))
		if path != "" {
			all := sized(room)
			for _, name := range ofMembers {
				found[path+": "+name] = place(all[name])
			}
			found[path+": many of it"] = place(fill("[", raw, "]", room))
		}
		var object map[string]json.RawMessage
		var array []json.RawMessage
		switch {
		case json.Unmarshal([]byte(raw), &object) == nil:
			inner := strings.TrimSuffix(strings.TrimPrefix(raw, "{"), "}")
			if inner != "" {
				inner += ","
			}
			for _, format := range []string{`"m%d":0`, `"a.b%d":0`} {
				found[path+": more members, "+format] = place(numbered("{"+inner, format, "}", room))
				found[path+": few more members, "+format] = place(numbered("{"+inner, format, "}", min(room, fewSize)))
			}
			for name, value := range object {
				rest := maps.Clone(object)
				delete(rest, name)
				others, _ := json.Marshal(rest) // of what was parsed
				begin := strings.TrimSuffix(string(others), "}")
				if len(rest) > 0 {
					begin += ","
				}
				walk(path+"."+name, string(value), func(v string) string { return place(begin + fmt.Sprintf("%q:", name) + v + "}") })
				found[path+"."+name+": given many times"] = place(fill(begin, fmt.Sprintf("%q:%s", name, value), "}", room))
			}
		case json.Unmarshal([]byte(raw), &array) == nil && len(array) > 0:
			walk(path+"[]", string(array[0]), func(v string) string { return place("[" + v + "]") })
		}
	}
	walk("", body, func(v string) string { return v })
	return found
}

func queries(names []string) map[string]string {
	found := map[string]string{
		"names":             strings.TrimSuffix(strings.Repeat("a&", headerSize/2), "&"),
		"separators":        strings.Repeat("&", headerSize),
		"equals":            strings.Repeat("=", headerSize),
		"pairs of nothing":  strings.TrimSuffix(strings.Repeat("=&", headerSize/2), "&"),
		"many names":        strings.ReplaceAll(numbered("", "n%d=1", "", headerSize), ",", "&"),
		"few names":         strings.ReplaceAll(numbered("", "n%d=1", "", 700), ",", "&"),
		"a name of dots":    strings.Repeat(".", headerSize) + "=1",
		"a name of escapes": strings.Repeat("%2e", headerSize/3) + "=1",
	}
	for _, name := range names {
		found[name+" many times"] = strings.TrimSuffix(strings.Repeat(name+"=1&", headerSize/(len(name)+3)), "&")
		found[name+" without a value"] = strings.TrimSuffix(strings.Repeat(name+"&", headerSize/(len(name)+1)), "&")
		// No more than net/url takes, which is 10,000.
		found[name+" 9,000 times without a value"] = strings.TrimSuffix(strings.Repeat(name+"&", min(9000, headerSize/(len(name)+1))), "&")
		found[name+" 99 times, long"] = strings.TrimSuffix(strings.Repeat(name+"="+strings.Repeat("%41", 50)+"&", 99), "&")
		found[name+" 99 times, then long"] = strings.Repeat(name+"&", 99) + name + strings.Repeat("%20", 5000)
		found[name+" of a long value"] = name + "=" + strings.Repeat("%F0%9F%98%80", 1300)
		found[name+" of commas"] = name + "=" + strings.Repeat(",", 16_000)
		found[name+" of a huge number"] = name + "=" + strings.Repeat("9", 16_000)
	}
	return found
}

func headers() map[string]http.Header {
	many := http.Header{}
	for i := range headerSize / 20 {
		many[fmt.Sprintf("X-%d", i)] = []string{"v"}
	}
	long := func(name, item string) http.Header {
		return http.Header{name: {strings.Repeat(item, headerSize/len(item))}}
	}
	tokens := strings.Repeat("a", headerSize/3)
	deep := strings.Repeat("e30", headerSize/3)
	return map[string]http.Header{
		"many names":            many,
		"many of one":           {"X-Many": slices.Repeat([]string{"v"}, headerSize/20)},
		"cookies":               long("Cookie", "a=b; "),
		"one cookie many times": long("Cookie", "auth_token=x; "),
		"a long cookie":         long("Cookie", "auth_token="),
		"what is accepted":      long("Accept", "a/b;q=0.1,"),
		"Accept without sense":  long("Accept", ","),
		"a long token":          {"Authorization": {"Bearer " + tokens + "." + tokens + "." + tokens[:100]}},
		"a token of dots":       {"Authorization": {"Bearer " + strings.Repeat(".", headerSize)}},
		"a token of objects":    {"Authorization": {"Bearer " + deep + "." + deep[:300] + ".x"}},
		"conditions":            {"If-Match": {strings.Repeat(`"1",`, headerSize/4)}},
		"other conditions":      {"If-None-Match": {strings.Repeat(`W/"1",`, headerSize/6)}},
		"addresses":             long("X-Forwarded-For", "10.0.0.1,"),
		"a trace's state":       {"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "Tracestate": {strings.Repeat("a=b,", headerSize/4)}},
		"baggage":               long("Baggage", "a=b,"),
		"a long agent":          long("User-Agent", "\xff"),
		"a key":                 long("Idempotency-Key", "k"),
		"languages":             long("Accept-Language", "de,"),
		"a content type":        long("Content-Type", "application/json;a=b;"),
		"an origin":             long("Origin", "http://a"),
	}
}
