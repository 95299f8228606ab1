package compose

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/manifests"
)

// With a version all images of ours are those of its release, which are pulled;
// without one they are what is built here. Each is built by one container.
func TestTheVersionIsThatOfEveryImage(t *testing.T) {
	root, err := filepath.Abs(manifests.Root)
	require.NoError(t, err)
	for version, env := range map[string][]string{"dev": nil, "v1.2.3": {"TASKWIRE_VERSION=v1.2.3"}} {
		built := map[string]int{}
		for name, s := range load(t, root, env...).Services {
			if image, ok := strings.CutPrefix(s.Image, "ghcr.io/taskwire/"); ok {
				require.True(t, strings.HasSuffix(image, ":"+version), "%s: %s", name, s.Image)
				require.Empty(t, s.PullPolicy, name)
				built[s.Image] += 0
				if s.Build != nil {
					built[s.Image]++
				}
			}
		}
		require.NotEmpty(t, built)
		for image, containers := range built {
			require.Equal(t, 1, containers, image)
		}
	}
}
