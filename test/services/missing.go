package services

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Missing says of each service and each topic where it is not named, and what to
// add there. A service that is left out somewhere starts, says that it is ready,
// and gets no events.
func Missing(root string) ([]string, error) {
	all, err := Read(root)
	if err != nil {
		return nil, err
	}
	topics, err := Topics(root)
	if err != nil {
		return nil, err
	}
	m := &missing{root: root, services: all, topics: topics}
	for _, look := range []func() error{m.lists, m.topicList, m.types, m.brokers, m.compose, m.kubernetes, m.reconcile, m.docs} {
		if err := look(); err != nil {
			return nil, err
		}
	}
	return m.found, nil
}

type missing struct {
	root     string
	services []Service
	topics   []string
	found    []string
}

// need notes what to add to a file, unless it is there.
func (m *missing) need(there bool, file, add string, values ...any) {
	if !there {
		m.found = append(m.found, file+": "+fmt.Sprintf(add, values...))
	}
}

func (m *missing) path(file string) string { return filepath.Join(m.root, filepath.FromSlash(file)) }

func (m *missing) read(file string) (string, error) {
	text, err := os.ReadFile(m.path(file))
	if err != nil {
		return "", fmt.Errorf("look for the services: %w", err)
	}
	return string(text), nil
}

// lists: what is in services is an app and a module of the workspace.
func (m *missing) lists() error {
	work, err := m.read("go.work")
	if err != nil {
		return err
	}
	commands, err := filepath.Glob(m.path("services/*/main.go"))
	if err != nil {
		return err
	}
	for _, command := range commands {
		name := filepath.Base(filepath.Dir(command))
		m.need(slices.Contains(IDs(m.services), name), "dapr/dapr.yaml", "add an app with the appID %s", name)
	}
	config, err := m.read("dapr/config.yaml")
	if err != nil {
		return err
	}
	for _, s := range m.services {
		_, err := os.Stat(m.path("compose/sidecars/" + s.ID + ".yaml"))
		asked := err == nil // by other services: it says who may
		m.need(!asked || strings.Contains(config, `if eq .ID "`+s.ID+`"`), "dapr/config.yaml", "say where the sidecar of %s is", s.ID)
		for _, file := range []string{"main.go", "go.mod", "go.sum"} {
			_, err := os.Stat(m.path("services/" + s.ID + "/" + file))
			m.need(err == nil, "services/"+s.ID+"/"+file, "write it")
		}
		m.need(strings.Contains(work, "\t./services/"+s.ID+"\n"), "go.work", "add ./services/%s", s.ID)
	}
	return nil
}

const events = "pkg/event/event.go"

// topicList: each topic that has a name is one of event.Topics.
func (m *missing) topicList() error {
	names, err := topicNames(m.root)
	for name, topic := range names {
		m.need(slices.Contains(m.topics, topic), events, "add %s to Topics", name)
	}
	return err
}

// described finds types of event where they are described.
var described = map[string]*regexp.Regexp{
	"docs/events.md":                       regexp.MustCompile("(?m)^\\|[^|]*\\| `((?:task|reminder|comment)\\.[a-z_]+)` \\|"),
	"pkg/event/schemas/task-event.v1.json": regexp.MustCompile(`"(task\.[a-z_]+)"`),
}

// types: each type of event is told by somebody and described, with an example, and
// none other is.
func (m *missing) types() error {
	code, err := m.read(events)
	if err != nil {
		return err
	}
	const list = "pkg/event/types.go"
	listed, err := m.read(list)
	if err != nil {
		return err
	}
	catalogue, err := m.read("docs/events.md")
	if err != nil {
		return err
	}
	publisher, err := Source(m.root, "services", "task-api", "internal")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, constant := range typePattern.FindAllStringSubmatch(code, -1) {
		name, kind := constant[1], constant[2]
		known[kind] = true
		m.need(strings.Contains(publisher, "event."+name), "services/task-api/internal", "nobody tells of %s", kind)
		m.need(strings.Contains(listed, "\t{"+name+", "), list, "add %s to Types", name)
		m.example(kind)
		if strings.HasPrefix(kind, "task.") {
			m.need(strings.Contains(listed, "\t{AuditPrefix + "+name+", "), list, "add AuditPrefix + %s to Types", name)
			m.example("audit." + kind)
			m.need(strings.Contains(catalogue, "`audit."+kind+"`"), "docs/events.md", "name audit.%s in the catalogue", kind)
		}
	}
	for file, pattern := range described {
		text, err := m.read(file)
		if err != nil {
			return err
		}
		here := map[string]bool{}
		for _, found := range pattern.FindAllStringSubmatch(text, -1) {
			here[found[1]] = true
			m.need(known[found[1]], events, "add a constant for %s, which %s has", found[1], file)
		}
		for kind := range known {
			// The types on reminders have a schema each.
			m.need(here[kind] || !strings.HasPrefix(kind, "task.") && filepath.Ext(file) == ".json", file, "describe %s", kind)
		}
	}
	return nil
}

func (m *missing) example(kind string) {
	file := "pkg/event/examples/" + kind + ".json"
	_, err := os.Stat(m.path(file))
	m.need(err == nil, file, "write an event")
}

// resource is the part of Dapr's resources that names services and topics.
type resource struct {
	Kind   string
	Scopes []string
	Spec   struct {
		Topic    string
		Metadata any // of a Component a list, of a Subscription none of these
	}
}

func (m *missing) brokers() error {
	publishes, consumes := map[string][]string{"task-api": m.topics}, map[string][]string{}
	for _, s := range m.services {
		consumes[s.ID] = s.Consumes
	}
	for _, broker := range []string{"kafka", "redis"} {
		file := "dapr/components/" + broker + "/pubsub.yaml"
		resources, err := readAll[resource](m.path(file))
		if err != nil {
			return err
		}
		told := map[string][]string{} // who is told of a topic
		for _, r := range resources {
			switch r.Kind {
			case "Subscription":
				told[r.Spec.Topic] = r.Scopes
			case "Component":
				for _, s := range m.services {
					m.need(slices.Contains(r.Scopes, s.ID), file, "add %s to the scopes of the Component", s.ID)
				}
				given := metadata(r.Spec.Metadata)
				for _, name := range []string{"allowedTopics", "protectedTopics"} {
					for _, topic := range m.topics {
						m.need(slices.Contains(strings.Split(given[name], ","), topic), file, "add %s to %s", topic, name)
					}
				}
				for name, want := range map[string]map[string][]string{"publishingScopes": publishes, "subscriptionScopes": consumes} {
					for app, topics := range want {
						for _, topic := range topics {
							m.need(slices.Contains(scopes(given[name])[app], topic), file, "let %s say %s=%s", name, app, topic)
						}
					}
				}
			}
		}
		for _, s := range m.services {
			for _, topic := range s.Consumes {
				apps, ok := told[topic]
				m.need(ok, file, "add a Subscription to %s, with the scope %s", topic, s.ID)
				m.need(!ok || slices.Contains(apps, s.ID), file, "add %s to the scopes of the Subscription to %s", s.ID, topic)
			}
		}
	}
	return nil
}

// metadata are the values of a component.
func metadata(list any) map[string]string {
	values := map[string]string{}
	entries, _ := list.([]any)
	for _, e := range entries {
		if entry, ok := e.(map[string]any); ok {
			values[fmt.Sprint(entry["name"])] = fmt.Sprint(entry["value"])
		}
	}
	return values
}

// scopes are the topics of each app in a value: app=topic,topic;app=…
func scopes(value string) map[string][]string {
	of := map[string][]string{}
	for one := range strings.SplitSeq(value, ";") {
		app, topics, _ := strings.Cut(one, "=")
		of[app] = strings.Split(topics, ",")
	}
	return of
}

func (m *missing) compose() error {
	const file = "docker-compose.yml"
	var project struct {
		Services map[string]any
		Configs  map[string]struct{ Content string }
	}
	if err := readYAML(m.path(file), &project); err != nil {
		return err
	}
	scraped := strings.FieldsFunc(project.Configs["scraped"].Content, func(r rune) bool { return strings.ContainsRune(" [],\n", r) })
	for _, s := range m.services {
		for _, container := range []string{s.ID, s.ID + "-migrate", s.ID + "-sidecar"} {
			_, ok := project.Services[container]
			m.need(ok, file, "add the service %s", container)
		}
		m.need(slices.Contains(scraped, s.ID), file, "add %s to the targets of the config scraped", s.ID)
	}
	return nil
}

func (m *missing) kubernetes() error {
	const file = "k8s/base/kustomization.yaml"
	var base struct{ Resources []string }
	if err := readYAML(m.path(file), &base); err != nil {
		return err
	}
	for _, s := range m.services {
		own := "k8s/base/" + s.ID + ".yaml"
		_, err := os.Stat(m.path(own))
		m.need(!errors.Is(err, fs.ErrNotExist), own, "write the ServiceAccount, the Deployment and the PodDisruptionBudget of %s", s.ID)
		m.need(slices.Contains(base.Resources, s.ID+".yaml"), file, "add %s.yaml to the resources", s.ID)
	}
	return nil
}

var compared = regexp.MustCompile(`\{"([a-z-]+)", "[a-z_]+", event\.(Topic\w+)\}`)

// reconcile compares the inboxes of the consumers, and the alerts know from it who has
// to be there.
func (m *missing) reconcile() error {
	const file = "services/task-api/internal/reconcile/consumers.go"
	text, err := m.read(file)
	if err != nil {
		return err
	}
	topics, err := topicNames(m.root)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, one := range compared.FindAllStringSubmatch(text, -1) {
		known[one[1]+" "+topics[one[2]]] = true
	}
	for _, s := range m.services {
		for _, topic := range s.Consumes {
			m.need(known[s.ID+" "+topic], file, "add %s, its schema and the topic %s to subscriptions", s.ID, topic)
		}
	}
	return nil
}

func (m *missing) docs() error {
	parts, err := m.read("docs/architecture.md")
	if err != nil {
		return err
	}
	for _, s := range m.services {
		m.need(strings.Contains(parts, "\n| `"+s.ID+"` | "), "docs/architecture.md", "add a row of %s to the table of the parts", s.ID)
	}
	events, err := m.read("docs/events.md")
	if err != nil {
		return err
	}
	for _, topic := range m.topics {
		m.need(strings.Contains(events, "`"+topic+"`"), "docs/events.md", "describe the topic %s", topic)
	}
	return nil
}
