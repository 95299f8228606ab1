package manifests

import (
	"maps"
	"slices"
	"strings"
)

// dapr checks what the sidecars are given.
func (w *walk) dapr() {
	apps := map[string]bool{}
	for _, p := range w.pods {
		if p.annotation("dapr.io/enabled") == "true" {
			apps[p.annotation("dapr.io/app-id")] = true
			w.app(p)
		}
	}
	services := slices.Sorted(maps.Keys(w.code.Ports))
	if found := slices.Sorted(maps.Keys(apps)); !slices.Equal(found, services) {
		w.problems = append(w.problems, "the app ids are not those of dapr/dapr.yaml: "+strings.Join(found, ", "))
	}
	for _, o := range of(w.objects, "Component", "Subscription") {
		w.check(len(texts(o["scopes"])) > 0, o, "it has no scopes")
		for _, scope := range texts(o["scopes"]) {
			w.check(apps[scope], o, "scope %q is no app", scope)
		}
	}
	for _, o := range of(w.objects, "Component") {
		w.component(o, apps)
	}
	for _, o := range of(w.objects, "Subscription") {
		w.subscription(o)
	}
	w.everyConsumerIsSubscribed()
	for _, o := range of(w.objects, "Resiliency") {
		for name := range dict(at(o, "spec", "targets", "components")) {
			w.check(find(w.objects, "Component", name) != nil, o, "Component %q does not exist", name)
		}
	}
	for _, o := range of(w.objects, "Configuration") {
		w.configuration(o, apps)
	}
}

// app checks the annotations of a service's pod.
func (w *walk) app(p pod) {
	o, id := p.owner, p.annotation("dapr.io/app-id")
	w.check(id == o.Name(), o, "app id %q", id)
	w.check(p.annotation("dapr.io/app-port") == w.code.Ports[id], o, "app port %q", p.annotation("dapr.io/app-port"))
	w.check(p.listens(p.annotation("dapr.io/app-port")), o, "nothing listens on the app port")
	w.check(find(w.objects, "Configuration", p.annotation("dapr.io/config")) != nil, o, "Configuration %q does not exist", p.annotation("dapr.io/config"))
	w.check(slices.Contains([]string{id, closed}, p.annotation("dapr.io/config")), o, "Configuration %q is another's", p.annotation("dapr.io/config"))
	for _, token := range []string{"app", "api"} {
		name := p.annotation("dapr.io/" + token + "-token-secret")
		w.secretKey(o, name, "token")
		variable := map[string]string{"app": "APP_API_TOKEN", "api": "DAPR_API_TOKEN"}[token]
		for _, c := range p.containers() {
			same := slices.ContainsFunc(list(c["env"]), func(e any) bool {
				return text(at(e, "name")) == variable && text(at(e, "valueFrom", "secretKeyRef", "name")) == name
			})
			w.check(same, o, "%s: %s is not that of the sidecar", text(c["name"]), variable)
		}
	}
	// The same as on one machine: dapr.yaml says why.
	for name, want := range map[string]any{
		"enable-app-health-check":   w.code.Run["enableAppHealthCheck"],
		"app-health-check-path":     w.code.Run["appHealthCheckPath"],
		"app-health-probe-interval": w.code.Run["appHealthProbeInterval"],
		"app-health-probe-timeout":  w.code.Run["appHealthProbeTimeout"],
		"app-health-threshold":      w.code.Run["appHealthThreshold"],
		"read-buffer-size":          w.code.Run["readBufferSize"],
	} {
		w.check(p.annotation("dapr.io/"+name) == text(want), o, "dapr.io/%s is %q, and %q in dapr.yaml", name, p.annotation("dapr.io/"+name), text(want))
	}
	// A sidecar without the token of a service account can not start otherwise.
	w.check(p.annotation("dapr.io/disable-builtin-k8s-secret-store") == "true", o, "its sidecar asks for secrets of Kubernetes")
}

// component checks that the broker's component is one that the suite knows, and
// that its scopes are those of the code.
func (w *walk) component(o Object, apps map[string]bool) {
	kind := text(at(o, "spec", "type"))
	known := w.code.Components[kind]
	w.check(known != nil, o, "no component of type %q is used by the suite", kind)
	w.check(text(at(o, "spec", "ignoreErrors")) == "true", o, "a pod that starts while the broker is away is kept out of its Service")
	given := map[string]string{}
	for _, m := range list(at(o, "spec", "metadata")) {
		name := text(at(m, "name"))
		given[name] = text(at(m, "value"))
		if ref := at(m, "secretKeyRef"); ref != nil {
			w.secretKey(o, text(at(ref, "name")), text(at(ref, "key")))
			w.check(text(at(o, "auth", "secretStore")) == "kubernetes", o, "nobody reads its secrets")
		}
	}
	// What differs from one machine is where the broker is, and how to sign in.
	for name, want := range known {
		if !slices.Contains([]string{"brokers", "authType", "redisHost", "redisPort"}, name) {
			w.check(given[name] == want, o, "%s is %q, and %q in dapr/components", name, given[name], want)
		}
	}
	w.check(given["allowedTopics"] == strings.Join(w.code.Topics, ","), o, "the topics are %q", given["allowedTopics"])
	// Whom no scope names may do all with a topic that is not protected.
	w.check(given["protectedTopics"] == given["allowedTopics"], o, "of the topics these are protected: %q", given["protectedTopics"])
	w.check(sameScopes(given["publishingScopes"], w.code.Publishes), o, "who may publish: %q", given["publishingScopes"])
	w.check(sameScopes(given["subscriptionScopes"], w.code.Consumes), o, "who may subscribe: %q", given["subscriptionScopes"])
	for app := range apps {
		w.check(slices.Contains(texts(o["scopes"]), app), o, "%s is not in its scopes", app)
	}
}

// sameScopes says whether scopes (app=topic,topic;app=…) name the apps that have
// topics in the code, each with those.
func sameScopes(scopes string, want map[string][]string) bool {
	seen := map[string]bool{}
	for one := range strings.SplitSeq(scopes, ";") {
		app, topics, _ := strings.Cut(one, "=")
		found := strings.Split(topics, ",")
		slices.Sort(found)
		if !slices.Equal(found, want[app]) {
			return false
		}
		seen[app] = true
	}
	for app, topics := range want {
		if len(topics) > 0 && !seen[app] {
			return false
		}
	}
	return true
}

func (w *walk) subscription(o Object) {
	topic := text(at(o, "spec", "topic"))
	w.check(slices.Contains(w.code.Topics, topic), o, "topic %q does not exist", topic)
	w.check(find(w.objects, "Component", text(at(o, "spec", "pubsubname"))) != nil, o, "pubsub %q does not exist", text(at(o, "spec", "pubsubname")))
	w.check(text(at(o, "spec", "routes", "default")) == "/events/"+topic, o, "route %q is not that of the topic", text(at(o, "spec", "routes", "default")))
	w.check(text(at(o, "spec", "metadata", "rawPayload")) == "true", o, "its payload is not raw")
	for _, app := range texts(o["scopes"]) {
		w.check(slices.Contains(w.code.Consumes[app], topic), o, "%s does not handle the topic %q", app, topic)
	}
}

func (w *walk) everyConsumerIsSubscribed() {
	for app, topics := range w.code.Consumes {
		for _, topic := range topics {
			found := slices.ContainsFunc(of(w.objects, "Subscription"), func(o Object) bool {
				return text(at(o, "spec", "topic")) == topic && slices.Contains(texts(o["scopes"]), app)
			})
			if !found {
				w.problems = append(w.problems, app+" is not subscribed to "+topic)
			}
		}
	}
}

// closed is the configuration of apps that are asked for nothing.
const closed = "closed"

// configuration checks what others may ask of an app: calls that the code makes,
// and routes that the app has.
func (w *walk) configuration(o Object, apps map[string]bool) {
	app := o.Name()
	w.check(apps[app] || app == closed, o, "no app has its name")
	w.check(text(at(o, "spec", "accessControl", "defaultAction")) == "deny", o, "who is not named may call")
	w.check(text(at(o, "spec", "mtls", "enabled")) == "true", o, "sidecars speak without TLS")
	reloads := slices.ContainsFunc(list(at(o, "spec", "features")), func(f any) bool {
		return text(at(f, "name")) == "HotReload" && text(at(f, "enabled")) == "true"
	})
	w.check(reloads, o, "a sidecar that has started without the broker stays without it")
	trust := text(at(o, "spec", "accessControl", "trustDomain"))
	allowed := map[Call]bool{}
	for _, policy := range list(at(o, "spec", "accessControl", "policies")) {
		caller := text(at(policy, "appId"))
		w.check(apps[caller], o, "caller %q is no app", caller)
		w.check(text(at(policy, "defaultAction")) == "deny", o, "%s may call all", caller)
		w.check(text(at(policy, "trustDomain")) == trust, o, "trust domain %q", text(at(policy, "trustDomain")))
		w.check(text(at(policy, "namespace")) == text(at(o, "metadata", "namespace")), o, "namespace %q", text(at(policy, "namespace")))
		for _, operation := range list(at(policy, "operations")) {
			path := text(at(operation, "name"))
			for _, other := range list(at(policy, "operations")) {
				above := text(at(other, "name"))
				w.check(above == path || !governs(above, path), o, "%s is never found: %s is above it", path, above)
			}
			for _, verb := range texts(at(operation, "httpVerb")) {
				has := slices.ContainsFunc(w.code.Routes[app], func(r Route) bool { return r.Method == verb && governs(path, r.Path) })
				w.check(has, o, "%s has no route %s %s", app, verb, path)
				for call := range w.code.Calls {
					if call.From == caller && call.To == app && call.Method == verb && governs(path, call.Path) {
						allowed[call] = true
					}
				}
				needed := slices.ContainsFunc(slices.Collect(maps.Keys(w.code.Calls)), func(c Call) bool {
					return c.From == caller && c.To == app && c.Method == verb && governs(path, c.Path)
				})
				w.check(needed, o, "%s has no call of %s %s %s", caller, app, verb, path)
			}
		}
	}
	for call := range w.code.Calls {
		w.check(call.To != app || allowed[call], o, "%s may not call %s %s, and does", call.From, call.Method, call.Path)
	}
}

// governs says whether an operation of an access policy is the one that Dapr
// finds for an address: it stops at the first on the way there, so that one
// without wildcards stands for all below it, too.
func governs(operation, path string) bool {
	return matches(operation, path) || matches(operation+"/**", path)
}

// matches says whether a path of an access policy stands for a route: "**" is
// one part of it in the middle, and all that is left at the end.
func matches(policy, route string) bool {
	p, r := strings.Split(policy, "/"), strings.Split(route, "/")
	for i, part := range p {
		if part == "**" && i == len(p)-1 {
			return len(r) > i
		}
		if i >= len(r) || part != r[i] && part != "**" {
			return false
		}
	}
	return len(p) == len(r)
}
