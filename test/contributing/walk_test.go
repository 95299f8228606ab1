package contributing

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// step is a block of a walk in CONTRIBUTING.md, or one change of a diff.
type step struct {
	file string // what it changes; "" of a command
	kind string // diff, sh, append or write
	text string
	// before and after are what a diff takes away and puts there.
	before, after string
}

func (s step) String() string {
	if s.kind == "diff" {
		return s.file + ":\n" + s.after
	}
	return s.kind + " " + s.file + ":\n" + s.text
}

var (
	fence = regexp.MustCompile("(?ms)^(?:(`[^\n]*):\n\n)?```(\\w*)\n(.*?)^```$")
	named = regexp.MustCompile("`([^`]+/[^`]+|[^`]+\\.[a-z]+)`")
)

// walk are the steps of a section.
func walk(document, title string) ([]step, error) {
	_, section, ok := strings.Cut(document, "\n### "+title+"\n")
	if !ok {
		return nil, fmt.Errorf("CONTRIBUTING.md has no section %q", title)
	}
	section, _, _ = strings.Cut(section, "\n### ")
	section, _, _ = strings.Cut(section, "\n## ")
	var steps []step
	for _, block := range fence.FindAllStringSubmatch(section, -1) {
		line, language, text := block[1], block[2], block[3]
		if language == "sh" {
			steps = append(steps, step{kind: "sh", text: text})
			continue
		}
		if i := strings.Index(section, block[0]); line == "" && strings.HasSuffix(strings.TrimRight(section[:i], "\n"), ":") {
			return nil, fmt.Errorf("no file is named above\n%s", text)
		}
		files := named.FindAllStringSubmatch(line, -1)
		if len(files) == 0 {
			return nil, fmt.Errorf("no file is named above\n%s", text)
		}
		for _, f := range files {
			one := step{file: f[1], kind: "write", text: text}
			switch {
			case language == "diff":
				steps = append(steps, hunks(one)...)
				continue
			case strings.HasSuffix(line, "at the end"):
				one.kind = "append"
			}
			steps = append(steps, one)
		}
	}
	return steps, nil
}

// hunks are the changes of a diff, which lines that begin with @@ part.
func hunks(whole step) []step {
	var steps []step
	for _, hunk := range regexp.MustCompile(`(?m)^@@.*\n`).Split(whole.text, -1) {
		one := step{file: whole.file, kind: "diff", text: hunk}
		for line := range strings.Lines(hunk) {
			if line[0] != '+' {
				one.before += line[1:]
			}
			if line[0] != '-' {
				one.after += line[1:]
			}
		}
		steps = append(steps, one)
	}
	return steps
}

// take does a step in the repository at root.
func (s step) take(root string) error {
	path := filepath.Join(root, filepath.FromSlash(s.file))
	switch s.kind {
	case "sh":
		command := exec.Command("bash", "-euo", "pipefail", "-c", s.text)
		command.Dir = root
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", s, err, out)
		}
		return nil
	case "write":
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s is there already", s.file)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(s.text), 0o644)
	case "append":
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, append(text, s.text...), 0o644)
	}
	return replace(path, s.before, s.after)
}

// replace changes a text that is in a file once.
func replace(path, before, after string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), before); n != 1 {
		return fmt.Errorf("CONTRIBUTING.md changes what is %d times in %s:\n%s", n, path, before)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), before, after, 1)), 0o644)
}
