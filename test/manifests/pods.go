package manifests

import (
	"fmt"
	"strings"
)

// pod is what a workload makes.
type pod struct {
	owner       Object
	labels      map[string]any
	annotations map[string]any
	spec        map[string]any
}

// pods are those that the objects make.
func pods(objects []Object) []pod {
	var all []pod
	for _, o := range of(objects, "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod") {
		template := at(o, "spec", "template")
		switch o.Kind() {
		case "CronJob":
			template = at(o, "spec", "jobTemplate", "spec", "template")
		case "Pod":
			template = o
		}
		all = append(all, pod{
			owner: o, labels: dict(at(template, "metadata", "labels")),
			annotations: dict(at(template, "metadata", "annotations")), spec: dict(at(template, "spec")),
		})
	}
	return all
}

// annotation is one of the pod's annotations.
func (p pod) annotation(name string) string { return text(p.annotations[name]) }

// lasting says whether the pod is there to stay.
func (p pod) lasting() bool { return !strings.HasSuffix(p.owner.Kind(), "Job") }

// containers are all containers of the pod, those that come first first.
func (p pod) containers() []map[string]any {
	var all []map[string]any
	for _, part := range []string{"initContainers", "containers"} {
		for _, c := range list(p.spec[part]) {
			all = append(all, dict(c))
		}
	}
	return all
}

// port is the number of a port that a container names.
func port(container map[string]any, name string) string {
	for _, p := range list(container["ports"]) {
		if text(at(p, "name")) == name {
			return text(at(p, "containerPort"))
		}
	}
	return ""
}

// listens says whether a port of the pod has this name or number. A sidecar
// brings two: that for other sidecars, and that of its metrics.
func (p pod) listens(nameOrNumber string) bool {
	if p.annotation("dapr.io/enabled") == "true" && (nameOrNumber == "50002" || nameOrNumber == "9090") {
		return true
	}
	for _, c := range p.containers() {
		for _, one := range list(c["ports"]) {
			if nameOrNumber == text(at(one, "name")) || nameOrNumber == text(at(one, "containerPort")) {
				return true
			}
		}
	}
	return false
}

// selected are the pods that a label selector takes.
func selected(all []pod, selector any) []pod {
	var found []pod
	for _, p := range all {
		match := true
		for key, want := range dict(at(selector, "matchLabels")) {
			match = match && text(p.labels[key]) == text(want)
		}
		if match {
			found = append(found, p)
		}
	}
	return found
}

// security is what is missing from a pod that nobody can break out of.
func (p pod) security() []string {
	var missing []string
	need := func(ok bool, format string, values ...any) {
		if !ok {
			missing = append(missing, fmt.Sprintf("%s: ", p.owner)+fmt.Sprintf(format, values...))
		}
	}
	need(text(p.spec["automountServiceAccountToken"]) == "false", "the token of its service account is mounted")
	need(text(at(p.spec, "securityContext", "runAsNonRoot")) == "true", "may run as root")
	need(text(at(p.spec, "securityContext", "seccompProfile", "type")) == "RuntimeDefault", "has no seccomp profile")
	for _, key := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		need(p.spec[key] == nil, "has %s", key)
	}
	for i, c := range p.containers() {
		name := text(c["name"])
		secure := c["securityContext"]
		need(text(at(secure, "allowPrivilegeEscalation")) == "false", "%s may gain privileges", name)
		need(at(secure, "privileged") == nil, "%s is privileged", name)
		need(strings.Join(texts(at(secure, "capabilities", "drop")), ",") == "ALL", "%s keeps capabilities", name)
		// Kafka's image writes its configuration at its start.
		need(name == "kafka" || text(at(secure, "readOnlyRootFilesystem")) == "true", "%s may write to its image", name)
		need(at(c, "resources", "requests", "memory") != nil && at(c, "resources", "limits", "memory") != nil && at(c, "resources", "requests", "cpu") != nil,
			"%s lacks requests or a limit of memory", name)
		_, tag, ok := strings.Cut(text(c["image"]), ":")
		need(ok && tag != "" && tag != "latest", "%s has an image without a version: %s", name, text(c["image"]))
		if p.lasting() && i >= len(list(p.spec["initContainers"])) {
			need(c["readinessProbe"] != nil && c["livenessProbe"] != nil, "%s lacks a probe", name)
		}
	}
	return missing
}
