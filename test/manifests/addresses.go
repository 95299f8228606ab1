package manifests

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// behind are the ports of pods behind Services of other namespaces, where they
// differ: a policy is about the pod's.
var behind = map[string]string{"dapr-sentry.dapr-system.svc.cluster.local:443": "50001"}

// defaultPorts are those of addresses that name none.
var defaultPorts = map[string]string{"postgres": "5432", "smtp": "587", "smtps": "465", "http": "80", "https": "443"}

var hostPort = regexp.MustCompile(`^[A-Za-z0-9.-]+:\d+$`)

// addresses are those in a value: a URL, or host:port with commas between them.
func addresses(value string) []string {
	if u, err := url.Parse(value); err == nil && u.Hostname() != "" {
		port := u.Port()
		if port == "" {
			port = defaultPorts[u.Scheme]
		}
		return []string{net.JoinHostPort(u.Hostname(), port)}
	}
	var found []string
	for one := range strings.SplitSeq(value, ",") {
		if !hostPort.MatchString(one) {
			return nil
		}
		found = append(found, one)
	}
	return found
}

// addresses checks that whatever pods and their sidecars are told to call is
// there, or outside, and that the policies let them.
func (w *walk) addresses() {
	for _, p := range w.pods {
		for _, c := range p.containers() {
			for name, v := range w.environment(c) {
				switch {
				case strings.HasPrefix(name, "OTEL_") && !slices.Contains(texts(c["args"]), "serve"):
					// The commands send no traces.
				case name == "PUBLIC_URL":
					// Where users come in: pods do not call it.
				case strings.HasPrefix(text(c["image"]), "ghcr.io/taskwire/"):
					w.calls(p.owner, p, name, v.value)
				case name == "KAFKA_ADVERTISED_LISTENERS":
					// What clients are told; the server does not call itself.
					for _, address := range addresses(v.value) {
						w.resolve(p.owner, name, address)
					}
				}
			}
		}
		for _, o := range of(w.objects, "Component") {
			if slices.Contains(texts(o["scopes"]), p.annotation("dapr.io/app-id")) {
				w.calls(o, p, "brokers", w.metadata(o, "brokers"))
				w.calls(o, p, "redisHost", w.metadata(o, "redisHost"))
			}
		}
		if o := find(w.objects, "Configuration", p.annotation("dapr.io/config")); o != nil {
			w.calls(o, p, "sentryAddress", text(at(o, "spec", "mtls", "sentryAddress")))
		}
	}
}

// metadata is a value of a component.
func (w *walk) metadata(component Object, name string) string {
	for _, m := range list(at(component, "spec", "metadata")) {
		if text(at(m, "name")) != name {
			continue
		}
		if ref := at(m, "secretKeyRef"); ref != nil {
			return w.secret(text(at(ref, "name")), text(at(ref, "key")))
		}
		return text(at(m, "value"))
	}
	return ""
}

// calls checks the addresses in a value that o tells a pod.
func (w *walk) calls(o Object, p pod, name, value string) {
	from := end{pod: &p, namespace: text(at(p.owner, "metadata", "namespace"))}
	for _, address := range addresses(value) {
		to, port := w.resolve(o, name, address)
		for _, one := range to {
			w.check(reaches(w.objects, from, one, port), o, "%s: no policy lets %s to %s", name, p.owner.Name(), address)
		}
	}
}

// resolve is who answers at an address, and on which port.
func (w *walk) resolve(o Object, name, address string) (to []end, port string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		w.check(false, o, "%s: %v", name, err)
		return nil, ""
	}
	namespace := text(at(o, "metadata", "namespace"))
	host = strings.TrimSuffix(strings.TrimSuffix(host, ".cluster.local"), ".svc")
	first, space, ok := strings.Cut(host, ".")
	switch {
	case strings.Contains(space, "."):
		return []end{{}}, port // outside of the cluster
	case ok && space != namespace:
		if there, ok := behind[address]; ok {
			port = there
		}
		return []end{{namespace: space}}, port
	}
	service := find(w.objects, "Service", first)
	w.check(service != nil, o, "%s: Service %q does not exist", name, first)
	for _, p := range list(at(service, "spec", "ports")) {
		if text(at(p, "port")) != port {
			continue
		}
		for _, b := range selected(w.pods, map[string]any{"matchLabels": at(service, "spec", "selector")}) {
			port = b.number(text(at(p, "targetPort")))
			to = append(to, end{pod: &b, namespace: namespace})
		}
	}
	w.check(service == nil || len(to) > 0, o, "%s: nobody answers at %s", name, address)
	return to, port
}

// number is the number of a port that a pod names.
func (p pod) number(name string) string {
	for _, c := range p.containers() {
		if n := port(c, name); n != "" {
			return n
		}
	}
	return name
}
