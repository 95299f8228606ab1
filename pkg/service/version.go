package service

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// version is stamped by the linker: -X github.com/taskwire/taskwire/pkg/service.version=v1.2.3.
var version string

var buildInfo = promauto.NewGaugeVec(prometheus.GaugeOpts{
	Name: "taskwire_build_info", Help: "1, with the version of the service and of the Go that built it.",
}, []string{"service", "version", "goversion"})

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

func showBuild(service string) {
	buildInfo.WithLabelValues(service, Version(), runtime.Version()).Set(1)
}
