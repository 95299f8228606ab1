package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/taskwire/taskwire/pkg/local"
)

// detours are the proxies that stand between the parts of the suite.
type detours struct {
	server *toxiproxy.ApiServer // never listens: it is what the proxies are made with
	by     map[string]*toxiproxy.Proxy
}

func newDetours() *detours {
	return &detours{
		server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		by:     map[string]*toxiproxy.Proxy{},
	}
}

// open leads from a new port to the part that listens on the given one.
func (d *detours) open(name string, to int) (int, error) {
	at, err := local.FreePort()
	if err != nil {
		return 0, err
	}
	p := toxiproxy.NewProxy(d.server, name, fmt.Sprintf("127.0.0.1:%d", at), fmt.Sprintf("127.0.0.1:%d", to))
	if err := p.Start(); err != nil {
		return 0, fmt.Errorf("open the detour %s: %w", name, err)
	}
	d.by[name] = p
	return at, nil
}

func (d *detours) close() {
	for _, p := range d.by {
		p.Stop()
	}
}

func (d *detours) names() []string { return slices.Sorted(maps.Keys(d.by)) }

// to are the detours to a part: those that have its name, or lead a service to it.
func (d *detours) to(part string) ([]string, error) {
	if part == "" {
		return nil, nil
	}
	var found []string
	for _, name := range d.names() {
		if name == part || strings.HasSuffix(name, "-"+part) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no connection is called %q; there are: %s", part, strings.Join(d.names(), ", "))
	}
	return found, nil
}

// troubles are what can happen to a detour.
var troubles = []string{"half-open", "reset", "slow", "refused"}

// trouble disturbs a detour and returns what ends that.
func (d *detours) trouble(name, kind string) (end func() error, err error) {
	p := d.by[name]
	if kind == "refused" {
		p.Stop() // closes the connections, and refuses new ones
		return p.Start, nil
	}
	var toxics []string
	switch kind {
	case "half-open": // the connection stays, and nothing comes through
		toxics = []string{
			`{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`,
			`{"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`,
		}
	case "reset":
		toxics = []string{
			`{"type": "reset_peer", "stream": "upstream", "attributes": {"timeout": 0}}`,
			`{"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 0}}`,
		}
	case "slow":
		toxics = []string{`{"type": "latency", "stream": "downstream", "attributes": {"latency": 500, "jitter": 300}}`}
	default:
		return nil, fmt.Errorf("there is no trouble %q", kind)
	}
	for _, toxic := range toxics {
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			p.Toxics.ResetToxics(context.Background())
			return nil, fmt.Errorf("make the detour %s %s: %w", name, kind, err)
		}
	}
	return func() error {
		p.Toxics.ResetToxics(context.Background())
		return nil
	}, nil
}
