package manifests

import "slices"

// end is one of the two ends of a connection: a pod of the suite, pods of
// another namespace, or something outside of the cluster (no namespace).
type end struct {
	name      string
	pod       *pod
	namespace string
	labels    map[string]any
}

// reaches says whether the NetworkPolicies let a connection through: whoever is
// selected by a policy of a direction needs a rule for it there.
func reaches(objects []Object, from, to end, port string) bool {
	return passes(objects, "Egress", from, to, to, port) && passes(objects, "Ingress", to, from, to, port)
}

// passes is one of the two directions, seen from one of the ends. The port is
// that of the end that is called.
func passes(objects []Object, direction string, here, there, called end, port string) bool {
	if here.pod == nil {
		return true
	}
	way := map[string][2]string{"Ingress": {"ingress", "from"}, "Egress": {"egress", "to"}}[direction]
	free := true
	for _, policy := range of(objects, "NetworkPolicy") {
		applies := slices.Contains(texts(at(policy, "spec", "policyTypes")), direction)
		if !applies || len(selected([]pod{*here.pod}, at(policy, "spec", "podSelector"))) == 0 {
			continue
		}
		free = false
		for _, rule := range list(at(policy, "spec", way[0])) {
			peers, ports := list(at(rule, way[1])), list(at(rule, "ports"))
			if (len(peers) == 0 || slices.ContainsFunc(peers, func(p any) bool { return isPeer(p, there) })) &&
				(len(ports) == 0 || slices.ContainsFunc(ports, func(p any) bool { return isPort(p, called, port) })) {
				return true
			}
		}
	}
	return free
}

// isPeer says whether a rule's peer stands for an end. An ipBlock is taken for
// what is outside alone: what it means for pods depends on the cluster's network.
func isPeer(peer any, e end) bool {
	if at(peer, "ipBlock") != nil {
		return e.pod == nil && e.namespace == ""
	}
	match := func(selector any, labels map[string]any) bool {
		return len(selected([]pod{{labels: labels}}, selector)) > 0
	}
	space, labels := at(peer, "namespaceSelector"), e.labels
	if e.pod != nil {
		labels = e.pod.labels
	}
	if space == nil {
		return e.pod != nil && match(at(peer, "podSelector"), labels)
	}
	return e.namespace != "" && match(space, map[string]any{"kubernetes.io/metadata.name": e.namespace}) && match(at(peer, "podSelector"), labels)
}

// isPort says whether a rule's port, a number or a name, is one of an end. Those
// of UDP are written 53/UDP.
func isPort(rule any, e end, number string) bool {
	want := text(at(rule, "port"))
	if e.pod != nil {
		want = e.pod.number(want)
	}
	if protocol := text(at(rule, "protocol")); protocol != "" && protocol != "TCP" {
		want += "/" + protocol
	}
	return want == number
}
