package docs

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

var update = flag.Bool("update", false, "write the tables anew")

var problemRow = regexp.MustCompile("(?m)^\\| `/problems/.*\n")

// The table says what the code does.
func TestProblemsAreListed(t *testing.T) {
	const file = "../../docs/problems.md"
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var rows strings.Builder
	for _, k := range httpapi.Kinds() {
		fmt.Fprintf(&rows, "| `/problems/%s` | %d | %s | %s |\n", k.Code, k.Status, k.Title, k.Help)
	}
	written := strings.Join(problemRow.FindAllString(string(raw), -1), "")
	if *update {
		head, _, _ := strings.Cut(string(raw), written)
		_, tail, _ := strings.Cut(string(raw), written)
		if written == "" {
			head, tail = string(raw), ""
		}
		require.NoError(t, os.WriteFile(file, []byte(head+rows.String()+tail), 0o644))
		return
	}
	require.Equal(t, rows.String(), written, "run go test ./test/docs -run TestProblemsAreListed -update")
}
