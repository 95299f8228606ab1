package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tour of the README is typed into a shell, block by block, as a newcomer
// does it.
func TestTheTourOfTheREADME(t *testing.T) {
	leaveOut(t)
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(readme), "\n## Two minutes with curl\n")
	require.True(t, ok, "the README has its tour")
	section, _, _ = strings.Cut(section, "\n## ")
	// The suite under test has ports and folders of its own.
	require.Contains(t, section, "API=http://127.0.0.1:8000\n")
	section = strings.ReplaceAll(section, "http://127.0.0.1:8000", s.API)
	section = strings.ReplaceAll(section, ".local/mail", s.MailDir)

	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, m[1])
	}
	steps := []struct {
		name   string
		repeat bool // what happens behind the request may take a moment
		shows  []string
	}{
		{"register and create", false, []string{`"title":"Water the orchids"`, `"version":1`}},
		{"the reminder", true, []string{"Subject: Reminder: Water the orchids", `"title":"Water the orchids"`, `"unread":1`}},
		{"complete", false, []string{`"is_complete":true`, `"version":2`}},
		{"the history", true, []string{`"action":"task.created"`, `"action":"task.completed"`, `"changed":["completed_at","is_complete"]`}},
		{"the next occurrence", true, []string{`"status":"open","due_at":"2030-04-06T07:00:00Z"`, `"status":"done"`, `"is_complete":false`}},
		{"an API token", false, []string{`"token":"tw_`, `"scopes":["tasks:read","lists:read"]`}},
		{"a line of text", false, []string{`"title":"Pay the rent"`, `"rrule":"FREQ=MONTHLY;BYMONTHDAY=1"`, `"kind":"priority","value":"high","text":"!high"`}},
	}
	require.Len(t, blocks, len(steps))

	shell := newShell(t)
	for i, step := range steps {
		look := func() error {
			out := shell(blocks[i])
			for _, want := range step.shows {
				if !strings.Contains(out, want) {
					return fmt.Errorf("%s: no %s in: %s", step.name, want, out)
				}
			}
			return nil
		}
		if step.repeat {
			eventually(t, look)
		} else {
			require.NoError(t, look())
		}
	}
}

// newShell starts a shell and returns what types into it and reads its answer.
func newShell(t *testing.T) func(commands string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "bash")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed: an exit status means nothing
	})
	const end = "-- end of block --"
	lines := bufio.NewReader(out)
	return func(commands string) string {
		_, err := io.WriteString(in, commands+"\necho '"+end+"'\n")
		require.NoError(t, err)
		var answer strings.Builder
		for {
			line, err := lines.ReadString('\n')
			require.NoError(t, err, "the shell ended: %s", answer.String())
			if strings.Contains(line, end) {
				answer.WriteString(strings.TrimSuffix(line, end+"\n"))
				return answer.String()
			}
			answer.WriteString(line)
		}
	}
}
