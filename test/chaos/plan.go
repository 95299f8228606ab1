package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/taskwire/taskwire/pkg/local"
	"github.com/taskwire/taskwire/test/services"
	"github.com/taskwire/taskwire/test/suite"
)

// plan chooses the ports of the parts, so that they are known before the suite
// starts, opens a detour to each, and returns the environment that makes the
// suite use both.
func plan(broker string) (_ *detours, env []string, err error) {
	if os.Getenv("DATABASE_URL") != "" || os.Getenv("SMTP_URL") != "" {
		return nil, nil, errors.New("DATABASE_URL and SMTP_URL must not be set: the database and the mail server are to be killed")
	}
	d := newDetours()
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	var ways []string
	// part gives a part its port, and each of the names a detour to it.
	part := func(variable string, names ...string) error {
		port, err := local.FreePort()
		if err != nil {
			return err
		}
		env = append(env, fmt.Sprintf("%s=%d", variable, port))
		for _, name := range names {
			at, err := d.open(name, port)
			if err != nil {
				return err
			}
			ways = append(ways, fmt.Sprintf("%s=%d", name, at))
		}
		return nil
	}
	all, err := services.Read(services.Root)
	if err != nil {
		return nil, nil, err
	}
	database := make([]string, 0, len(all))
	brokers := []string{"broker"}
	if broker == suite.Redis {
		brokers = nil
	}
	for _, s := range all {
		name, variable := s.ID, s.Variable()
		database = append(database, name+"-database")
		if broker == suite.Redis {
			brokers = append(brokers, name+"-broker")
		}
		var grpc []string
		if name == "task-api" {
			grpc = append(grpc, name+"-dapr-grpc") // it alone publishes
		}
		err := errors.Join(part(variable+"_PORT", name+"-app"),
			part(variable+"_DAPR_HTTP_PORT", name+"-dapr-http"), part(variable+"_DAPR_GRPC_PORT", grpc...))
		if err != nil {
			return nil, nil, err
		}
	}
	// A broker of somebody else is neither killed nor cut off.
	if os.Getenv("KAFKA_BROKERS") == "" && os.Getenv("REDIS_HOST") == "" {
		err = part("BROKER_PORT", brokers...)
	}
	if err := errors.Join(err, part("POSTGRES_PORT", database...), part("SMTP_PORT", "smtp")); err != nil {
		return nil, nil, err
	}
	// Every mail is to arrive: there is no budget of them.
	return d, append(env, "BROKER="+broker, "DETOURS="+strings.Join(ways, ",")), nil
}
