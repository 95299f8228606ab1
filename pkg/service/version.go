package service

import "runtime/debug"

// version is stamped by the linker: -X github.com/taskwire/taskwire/pkg/service.version=v1.2.3.
var version string

// Version is the version of this build: the stamped one, else the commit.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "development"
}
