package manifests

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	operators "github.com/taskwire/taskwire/pkg/operator"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/test/services"
	"github.com/taskwire/taskwire/test/settings"
)

// Code is what the code says about itself, and the manifests have to agree with.
type Code struct {
	Topics     []string
	Ports      map[string]string                      // by service
	Publishes  map[string][]string                    // topics by service
	Consumes   map[string][]string                    // topics by service
	Routes     map[string][]Route                     // by service
	Calls      map[Call]bool                          // from service to service, through the sidecars
	Components map[string]map[string]string           // metadata of dapr/components by type
	Run        map[string]any                         // what all apps have in common in dapr/dapr.yaml
	Settings   map[string]map[string]settings.Setting // by service and name
}

// Route is one that a service answers.
type Route struct{ Method, Path string }

// Call is one that a service makes.
type Call struct{ From, To, Method, Path string }

var (
	routePattern  = regexp.MustCompile(`http\.Method([A-Z][a-z]+), (?:Path: )?"(/[^"]+)"`)
	doorPattern   = regexp.MustCompile(`\{"([A-Z]+) (/(?:api|internal)/[^"]+)", "([a-z-]+)", `)
	invokePattern = regexp.MustCompile(`/v1\.0/invoke/([a-z-]+)/method(/[^"]+)"`)
)

// asked is what services ask of task-api.
var asked = map[string][]string{"recurring-task": {taskapi.OccurrencesPath}, "notification": {taskapi.RemindersPath, taskapi.AccountMailsPath}}

// operated is what task-api asks each consumer for its operators.
var operated = []Route{{"GET", operators.StatePath}, {"GET", operators.LettersPath}, {"POST", operators.ReplayPath}, {"POST", operators.DiscardPath}}

// ReadCode reads it from the sources: the services' own packages can not be
// imported from here.
func ReadCode(read func(service string) map[string]settings.Setting) (Code, error) {
	code := Code{
		Ports: map[string]string{}, Publishes: map[string][]string{}, Consumes: map[string][]string{}, Routes: map[string][]Route{},
		Calls: map[Call]bool{}, Components: map[string]map[string]string{}, Settings: map[string]map[string]settings.Setting{},
	}
	auth, err := services.Source(Root, "pkg", "auth")
	if err != nil {
		return code, err
	}
	if code.Topics, err = services.Topics(Root); err != nil {
		return code, err
	}
	all, err := services.Read(Root)
	if err != nil {
		return code, err
	}
	sources := map[string]string{}
	for _, s := range all {
		service := s.ID
		code.Ports[service], code.Consumes[service] = s.Port, s.Consumes
		if sources[service], err = services.Source(Root, "services", service); err != nil {
			return code, err
		}
		code.Settings[service] = read(service)
		for _, m := range routePattern.FindAllStringSubmatch(sources[service], -1) {
			code.Routes[service] = append(code.Routes[service], Route{strings.ToUpper(m[1]), m[2]})
		}
		if strings.Contains(sources[service], "MountOperatorAPI(") {
			for _, r := range operated {
				code.Routes[service] = append(code.Routes[service], r)
				code.Calls[Call{"task-api", service, r.Method, r.Path}] = true
			}
		}
		if strings.Contains(sources[service], "MountUserAPI(") {
			for _, m := range invokePattern.FindAllStringSubmatch(auth, -1) {
				code.Calls[Call{service, m[1], "GET", m[2]}] = true
			}
		}
	}
	for caller, paths := range asked {
		for _, path := range paths {
			code.Routes["task-api"] = append(code.Routes["task-api"], Route{"POST", path})
			code.Calls[Call{caller, "task-api", "POST", path}] = true
		}
	}
	code.Publishes["task-api"] = slices.Sorted(slices.Values(code.Topics))
	for _, m := range doorPattern.FindAllStringSubmatch(sources["task-api"], -1) {
		method, path, to := m[1], strings.Replace(m[2], "{notification}", "{id}", 1), m[3]
		if slices.Contains(code.Routes[to], Route{method, path}) {
			code.Calls[Call{"task-api", to, method, path}] = true
		}
	}
	code.head()
	if err := code.readRun(); err != nil {
		return code, err
	}
	return code, code.readComponents()
}

// head adds what is asked without the body: every GET is a HEAD, too.
func (c *Code) head() {
	for service, routes := range c.Routes {
		for _, r := range routes {
			if r.Method == "GET" {
				c.Routes[service] = append(c.Routes[service], Route{"HEAD", r.Path})
			}
		}
	}
	for call := range maps.Clone(c.Calls) {
		if call.Method == "GET" && call.From == "task-api" {
			call.Method = "HEAD"
			c.Calls[call] = true
		}
	}
}

func (c *Code) readRun() error {
	file, err := ReadFile("dapr", "dapr.yaml")
	if err != nil {
		return err
	}
	c.Run = dict(file[0]["common"])
	return nil
}

func (c *Code) readComponents() error {
	for _, broker := range []string{"kafka", "redis"} {
		file, err := ReadFile("dapr", "components", broker, "pubsub.yaml")
		if err != nil {
			return err
		}
		metadata := map[string]string{}
		for _, m := range list(at(file[0], "spec", "metadata")) {
			metadata[text(at(m, "name"))] = text(at(m, "value"))
		}
		c.Components[text(at(file[0], "spec", "type"))] = metadata
	}
	return nil
}
