// Package release holds the release workflow against the repository.
package release

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/manifests"
)

// The notes of a release are what the changelog says of its version, and of no
// other. Without a word there is no release.
func TestTheNotesAreThoseOfTheVersion(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(manifests.Root, ".ci/notes"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".ci"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".ci/notes"), script, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "CHANGELOG.md"), []byte(`# Changelog

## [Unreleased]

## [1.2.30] - 2026-12-24

thirty

## [1.2.3] - 2026-12-01

### Added

- three

## [1.2.3-rc.1]

- a candidate
`), 0o600))
	for version, want := range map[string]string{
		"v1.2.3":      "### Added\n\n- three\n",
		"v1.2.30":     "thirty\n",
		"v1.2.3-rc.1": "- a candidate\n",
		"vUnreleased": "",
		"v1.2":        "",
		"v1.2.4":      "",
	} {
		out, err := exec.CommandContext(t.Context(), "bash", filepath.Join(dir, ".ci/notes"), version).Output()
		require.Equal(t, want, string(out), version)
		require.Equal(t, want != "", err == nil, version)
	}
}

// A tag of an action can be moved, and what it then points at would hold our
// rights to publish.
func TestEveryActionIsPinned(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(manifests.Root, ".github/workflows/*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, use := range regexp.MustCompile(`(?m)\buses: .*$`).FindAllString(string(text), -1) {
			require.Regexp(t, `^uses: (\./\S+|[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`, use, file)
		}
	}
}

// What is broken, or has a newer version, is noticed without anybody looking for it.
func TestVersionsAndVulnerabilitiesAreLookedAfter(t *testing.T) {
	workflow, err := os.ReadFile(filepath.Join(manifests.Root, ".github/workflows/ci.yml"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^\s+- run: make vulncheck$`, string(workflow))
	makefile, err := os.ReadFile(filepath.Join(manifests.Root, "Makefile"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^GOVULNCHECK := golang\.org/x/vuln/cmd/govulncheck@v\d+\.\d+\.\d+$`, string(makefile))
	text, err := os.ReadFile(filepath.Join(manifests.Root, "renovate.json"))
	require.NoError(t, err)
	var renovate struct {
		Extends                []string
		OSVVulnerabilityAlerts bool `json:"osvVulnerabilityAlerts"`
	}
	require.NoError(t, json.Unmarshal(text, &renovate))
	require.Subset(t, renovate.Extends, []string{"docker:pinDigests", "helpers:pinGitHubActionDigests"})
	require.True(t, renovate.OSVVulnerabilityAlerts)
}
