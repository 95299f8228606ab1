package main

import (
	"io"

	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/publish"
	"github.com/taskwire/taskwire/pkg/service"
)

// eventPublisher is how events get to the broker, and what readiness asks of it.
type eventPublisher struct {
	eventlog.Publisher
	io.Closer
	check service.Check
}

// transport is the way that EVENT_TRANSPORT names. There is no falling back to
// the other one: each needs rights of its own at the broker.
func transport(cfg settings) (eventPublisher, error) {
	if cfg.Transport == transportKafka {
		brokers, err := publish.NewKafka(cfg.Kafka, "task-api", cfg.PubsubName)
		if err != nil {
			return eventPublisher{}, err
		}
		return eventPublisher{brokers, brokers, service.Check{Name: "broker", Run: brokers.Ping}}, nil
	}
	sidecar, err := publish.NewDapr(cfg.SidecarGRPC(), cfg.DaprAPIToken, cfg.PubsubName)
	if err != nil {
		return eventPublisher{}, err
	}
	return eventPublisher{sidecar, sidecar, service.Check{Name: "sidecar", Run: sidecarCheck(cfg.SidecarURL())}}, nil
}
