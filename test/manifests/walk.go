package manifests

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/taskwire/taskwire/test/settings"
)

// Walk follows every reference in the objects of an overlay and says which lead
// nowhere. Secrets are those that the operator makes beside them.
func Walk(objects, secrets []Object, code Code) []string {
	w := &walk{objects: objects, secrets: secrets, pods: pods(objects), code: code}
	w.namespaces()
	for _, p := range w.pods {
		w.problems = append(w.problems, p.security()...)
		w.pod(p)
	}
	for _, o := range objects {
		switch o.Kind() {
		case "Service":
			w.service(o)
		case "Ingress":
			w.ingress(o)
		case "NetworkPolicy":
			w.networkPolicy(o)
		case "HorizontalPodAutoscaler", "ScaledObject":
			w.scaler(o)
		case "PodDisruptionBudget":
			w.check(len(selected(w.pods, at(o, "spec", "selector"))) > 0, o, "no pod is selected")
		case "TriggerAuthentication":
			for _, ref := range list(at(o, "spec", "secretTargetRef")) {
				w.secretKey(o, text(at(ref, "name")), text(at(ref, "key")))
			}
		}
	}
	w.dapr()
	w.addresses()
	return w.problems
}

// walk is one round through the objects.
type walk struct {
	objects, secrets []Object
	pods             []pod
	code             Code
	problems         []string
}

// check notes a problem of an object, unless it is well.
func (w *walk) check(ok bool, o Object, format string, values ...any) {
	if !ok {
		w.problems = append(w.problems, fmt.Sprintf("%s: ", o)+fmt.Sprintf(format, values...))
	}
}

// namespaces: all in the one that is made, and no secret among them.
func (w *walk) namespaces() {
	for _, o := range w.objects {
		w.check(!namespaced(o) || find(w.objects, "Namespace", text(at(o, "metadata", "namespace"))) != nil, o,
			"its namespace %q is not made", text(at(o, "metadata", "namespace")))
		w.check(o.Kind() != "Secret", o, "a secret among the manifests")
	}
}

// secretKey checks a reference to a key of a Secret; "" is any.
func (w *walk) secretKey(from Object, name, key string) {
	s := find(w.secrets, "Secret", name)
	w.check(s != nil, from, "Secret %q does not exist", name)
	w.check(s == nil || key == "" || at(s, "data", key) != nil, from, "Secret %q has no key %q", name, key)
}

// configKey is secretKey for a ConfigMap.
func (w *walk) configKey(from Object, name, key string) {
	c := find(w.objects, "ConfigMap", name)
	w.check(c != nil, from, "ConfigMap %q does not exist", name)
	w.check(c == nil || key == "" || at(c, "data", key) != nil, from, "ConfigMap %q has no key %q", name, key)
}

func (w *walk) pod(p pod) {
	o := p.owner
	if o.Kind() != "CronJob" {
		w.check(len(selected([]pod{p}, at(o, "spec", "selector"))) == 1, o, "its selector does not take its own pods")
	}
	account := text(p.spec["serviceAccountName"])
	w.check(find(w.objects, "ServiceAccount", account) != nil, o, "ServiceAccount %q does not exist", account)
	volumes := map[string]bool{}
	for _, v := range list(p.spec["volumes"]) {
		volumes[text(at(v, "name"))] = true
		if name := text(at(v, "configMap", "name")); name != "" {
			w.configKey(o, name, "")
		}
		if name := text(at(v, "secret", "secretName")); name != "" && at(v, "secret", "optional") != true {
			w.secretKey(o, name, "")
		}
	}
	for _, v := range list(at(o, "spec", "volumeClaimTemplates")) {
		volumes[text(at(v, "metadata", "name"))] = true
	}
	if name := text(at(o, "spec", "serviceName")); o.Kind() == "StatefulSet" {
		w.check(find(w.objects, "Service", name) != nil, o, "Service %q does not exist", name)
	}
	for _, c := range p.containers() {
		for _, from := range list(c["envFrom"]) {
			if name := text(at(from, "configMapRef", "name")); name != "" {
				w.configKey(o, name, "")
			}
			if name := text(at(from, "secretRef", "name")); name != "" {
				w.secretKey(o, name, "")
			}
		}
		for _, e := range list(c["env"]) {
			if ref := at(e, "valueFrom", "secretKeyRef"); ref != nil {
				w.secretKey(o, text(at(ref, "name")), text(at(ref, "key")))
			}
			if ref := at(e, "valueFrom", "configMapKeyRef"); ref != nil {
				w.configKey(o, text(at(ref, "name")), text(at(ref, "key")))
			}
		}
		for _, m := range list(c["volumeMounts"]) {
			w.check(volumes[text(at(m, "name"))], o, "volume %q does not exist", text(at(m, "name")))
		}
		for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
			for _, way := range []string{"httpGet", "tcpSocket"} {
				if name := text(at(c, probe, way, "port")); name != "" {
					w.check(port(c, name) != "", o, "%s asks port %q, which %s does not have", probe, name, text(c["name"]))
				}
			}
			if path := text(at(c, probe, "httpGet", "path")); path != "" {
				w.check(slices.Contains([]string{"/healthz", "/readyz"}, path), o, "%s asks for %q", probe, path)
			}
		}
		w.settings(o, c)
		w.authority(p, c)
	}
}

// authority: where a login names the file of an authority, that is mounted.
func (w *walk) authority(p pod, container map[string]any) {
	for name, v := range w.environment(container) {
		login, err := url.Parse(v.value)
		if err != nil || !login.Query().Has("sslrootcert") {
			continue
		}
		file := login.Query().Get("sslrootcert")
		w.check(slices.ContainsFunc(list(container["volumeMounts"]), func(m any) bool {
			return text(at(m, "mountPath")) == path.Dir(file) && slices.ContainsFunc(list(p.spec["volumes"]), func(v any) bool {
				return text(at(v, "name")) == text(at(m, "name")) && w.secret(text(at(v, "secret", "secretName")), path.Base(file)) != ""
			})
		}), p.owner, "%s: %s names %s, which is not there", text(container["name"]), name, file)
	}
}

// settings are those of the service that a container runs, no other, and all
// that it needs.
func (w *walk) settings(o Object, container map[string]any) {
	service, ours := strings.CutPrefix(strings.Split(text(container["image"]), ":")[0], "ghcr.io/taskwire/")
	if !ours {
		return
	}
	known := w.code.Settings[service]
	w.check(known != nil, o, "no service is called %q", service)
	args := strings.Join(texts(container["args"]), " ")
	command, _, _ := strings.Cut(args, " ")
	w.check(slices.Contains([]string{"serve", "migrate", "reconcile"}, command), o, "%s has no command %q", service, command)
	given := w.environment(container)
	for name, v := range given {
		setting, ok := known[name]
		w.check(ok || strings.HasPrefix(name, "OTEL_") || w.readByScaler(o, name), o, "%s has no setting %s", service, name)
		w.check(!setting.Secret || v.secret, o, "the secret %s stands in the manifests", name)
	}
	for _, name := range settings.Missing(known, func(name string) bool { return given[name].value != "" }) {
		w.check(command == "reconcile" && name != "DATABASE_URL", o, "%s is not given %s", service, name)
	}
	if command == "serve" {
		w.check(given["MIGRATE_DATABASE_URL"].value == "", o, "it serves with the login of the owner")
		w.check(given["PORT"].value == port(container, "http"), o, "PORT is %q, and the port %q is opened", given["PORT"].value, port(container, "http"))
		w.check(given["METRICS_PORT"].value == port(container, "metrics"), o, "METRICS_PORT is not the port of the metrics")
	}
}

// readByScaler says whether a scaler of a workload reads a variable of it.
func (w *walk) readByScaler(o Object, variable string) bool {
	return slices.ContainsFunc(of(w.objects, "ScaledObject"), func(s Object) bool {
		return text(at(s, "spec", "scaleTargetRef", "name")) == o.Name() && slices.ContainsFunc(list(at(s, "spec", "triggers")), func(trigger any) bool {
			return slices.Contains(slices.Collect(maps.Values(fromEnv(trigger))), variable)
		})
	})
}

// fromEnv are the variables that a trigger reads in its target's first
// container, by the parameters that they stand for.
func fromEnv(trigger any) map[string]string {
	found := map[string]string{}
	for key, variable := range dict(at(trigger, "metadata")) {
		if parameter, ok := strings.CutSuffix(key, "FromEnv"); ok {
			found[parameter] = text(variable)
		}
	}
	return found
}

// scaled is what a scaler reads in its target's first container.
func (w *walk) scaled(target Object, variable string) string {
	for _, c := range list(at(target, "spec", "template", "spec", "containers")) {
		return w.environment(dict(c))[variable].value
	}
	return ""
}

// variable is one of a container's environment.
type variable struct {
	value  string
	secret bool // whether it is from a Secret
}

// environment is what a container is given.
func (w *walk) environment(container map[string]any) map[string]variable {
	given := map[string]variable{}
	for _, from := range list(container["envFrom"]) {
		for key, value := range dict(at(find(w.objects, "ConfigMap", text(at(from, "configMapRef", "name"))), "data")) {
			given[key] = variable{value: text(value)}
		}
		name := text(at(from, "secretRef", "name"))
		for key := range dict(at(find(w.secrets, "Secret", name), "data")) {
			given[key] = variable{w.secret(name, key), true}
		}
	}
	for _, e := range list(container["env"]) {
		v := variable{value: text(at(e, "value"))}
		if ref := at(e, "valueFrom", "secretKeyRef"); ref != nil {
			v = variable{w.secret(text(at(ref, "name")), text(at(ref, "key"))), true}
		}
		given[text(at(e, "name"))] = v
	}
	return given
}

// secret is what a Secret holds, or nothing.
func (w *walk) secret(name, key string) string {
	raw, err := base64.StdEncoding.DecodeString(text(at(find(w.secrets, "Secret", name), "data", key)))
	if err != nil {
		return ""
	}
	return string(raw)
}

func (w *walk) service(o Object) {
	behind := selected(w.pods, map[string]any{"matchLabels": at(o, "spec", "selector")})
	w.check(len(behind) > 0, o, "no pod is selected")
	for _, p := range list(at(o, "spec", "ports")) {
		target := text(at(p, "targetPort"))
		for _, b := range behind {
			w.check(b.listens(target), o, "port %q is not one of %s", target, b.owner)
		}
	}
}

// madeElsewhere are Secrets that neither we nor k8s/secrets.sh make.
var madeElsewhere = []string{"task-api-tls"} // cert-manager, or the operator

func (w *walk) ingress(o Object) {
	var hosts []string
	for _, tls := range list(at(o, "spec", "tls")) {
		hosts = append(hosts, texts(at(tls, "hosts"))...)
		if name := text(at(tls, "secretName")); !slices.Contains(madeElsewhere, name) {
			w.secretKey(o, name, "tls.crt")
		}
	}
	for _, rule := range list(at(o, "spec", "rules")) {
		w.check(slices.Contains(hosts, text(at(rule, "host"))), o, "%q is served without TLS", text(at(rule, "host")))
		for _, path := range list(at(rule, "http", "paths")) {
			name := text(at(path, "backend", "service", "name"))
			w.check(name == "task-api", o, "%q is behind it: task-api alone is the front door", name)
			s := find(w.objects, "Service", name)
			w.check(s != nil, o, "Service %q does not exist", name)
			want := text(at(path, "backend", "service", "port", "name"))
			found := slices.ContainsFunc(list(at(s, "spec", "ports")), func(p any) bool { return text(at(p, "name")) == want })
			w.check(found, o, "Service %q has no port %q", name, want)
		}
	}
}

func (w *walk) networkPolicy(o Object) {
	subject := selected(w.pods, at(o, "spec", "podSelector"))
	w.check(len(subject) > 0, o, "no pod is selected")
	for _, rule := range list(at(o, "spec", "ingress")) {
		w.peers(o, at(rule, "from"))
		w.ports(o, at(rule, "ports"), subject)
	}
	for _, rule := range list(at(o, "spec", "egress")) {
		if there, ours := w.peers(o, at(rule, "to")); ours {
			w.ports(o, at(rule, "ports"), there)
		}
	}
}

// peers are the pods at the other end; ours says that all of them are here.
func (w *walk) peers(o Object, peers any) (there []pod, ours bool) {
	ours = len(list(peers)) > 0
	for _, peer := range list(peers) {
		if at(peer, "namespaceSelector") != nil || at(peer, "ipBlock") != nil {
			ours = false
			continue
		}
		found := selected(w.pods, at(peer, "podSelector"))
		w.check(len(found) > 0, o, "it names a peer that is not there: %v", at(peer, "podSelector"))
		there = append(there, found...)
	}
	return there, ours
}

// ports must each be one that some of the pods listen on.
func (w *walk) ports(o Object, ports any, pods []pod) {
	for _, p := range list(ports) {
		name := text(at(p, "port"))
		w.check(slices.ContainsFunc(pods, func(one pod) bool { return one.listens(name) }), o, "no pod listens on port %q", name)
	}
}

func (w *walk) scaler(o Object) {
	kind, name := text(at(o, "spec", "scaleTargetRef", "kind")), text(at(o, "spec", "scaleTargetRef", "name"))
	if kind == "" {
		kind = "Deployment"
	}
	target := find(w.objects, kind, name)
	w.check(target != nil, o, "%s %q does not exist", kind, name)
	w.check(at(target, "spec", "replicas") == nil, o, "the replicas of %s are said twice", name)
	for _, metric := range list(at(o, "spec", "metrics")) {
		if c := text(at(metric, "containerResource", "container")); c != "" {
			found := slices.ContainsFunc(list(at(target, "spec", "template", "spec", "containers")), func(one any) bool { return text(at(one, "name")) == c })
			w.check(found, o, "%s has no container %q", name, c)
		}
	}
	for _, trigger := range list(at(o, "spec", "triggers")) {
		if ref := text(at(trigger, "authenticationRef", "name")); ref != "" {
			w.check(find(w.objects, "TriggerAuthentication", ref) != nil, o, "TriggerAuthentication %q does not exist", ref)
		}
		for parameter, variable := range fromEnv(trigger) {
			w.check(w.scaled(target, variable) != "", o, "%s: %s has no variable %s", parameter, name, variable)
		}
		if topic := text(at(trigger, "metadata", "topic")); topic != "" {
			brokers := text(at(trigger, "metadata", "bootstrapServers"))
			if variable := fromEnv(trigger)["bootstrapServers"]; variable != "" {
				brokers = w.scaled(target, variable)
			}
			w.check(brokers == w.metadata(find(w.objects, "Component", "pubsub"), "brokers"), o, "it looks at %q, where the sidecars do not", brokers)
			w.check(slices.Contains(w.code.Consumes[name], topic), o, "%s does not read the topic %q", name, topic)
			w.check(text(at(trigger, "metadata", "consumerGroup")) == name, o, "the consumer group of %s has its name", name)
		}
	}
	if o.Kind() == "ScaledObject" {
		for _, topic := range w.code.Consumes[name] {
			found := slices.ContainsFunc(list(at(o, "spec", "triggers")), func(t any) bool { return text(at(t, "metadata", "topic")) == topic })
			w.check(found, o, "it does not look at the topic %q", topic)
		}
	}
}
