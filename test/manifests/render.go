// Package manifests holds what is in k8s to itself and to the code: it renders
// each overlay and follows every reference in it.
package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/taskwire/taskwire/test/services"
)

// Root is the folder of the repository.
var Root = services.Root

// Overlays are those that an operator can apply, by their folders' names.
func Overlays() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(Root, "k8s", "overlays"))
	if err != nil {
		return nil, fmt.Errorf("list the overlays: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Object is one resource of Kubernetes, as YAML has it.
type Object map[string]any

// Kind is the kind of the resource.
func (o Object) Kind() string { return text(o["kind"]) }

// Name is its name.
func (o Object) Name() string { return text(at(o, "metadata", "name")) }

func (o Object) String() string { return o.Kind() + "/" + o.Name() }

// Render is what `kubectl apply -k` of an overlay sends.
func Render(overlay string) ([]Object, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), filepath.Join(Root, "k8s", "overlays", overlay))
	if err != nil {
		return nil, fmt.Errorf("render the overlay %s: %w", overlay, err)
	}
	whole, err := built.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("render the overlay %s: %w", overlay, err)
	}
	return parse(whole)
}

// Password is that of every login in Secrets: as bad as they come.
const Password = "p@ss:w/rd?#%é '\"$&" //nolint:gosec // it opens nothing

// MailFrom is the sender that the operator names.
const MailFrom = "Reminders <reminders@operator.example>"

// Secrets are those that k8s/secrets.sh makes for an overlay.
func Secrets(overlay string) ([]Object, error) {
	env, err := operator()
	if err != nil {
		return nil, err
	}
	return secretsWith(overlay, env)
}

// operator is all that k8s/secrets.sh asks for, as NAME=VALUE.
func operator() ([]string, error) {
	ca := filepath.Join(os.TempDir(), "taskwire-test-ca.pem")
	if err := os.WriteFile(ca, []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write a certificate: %w", err)
	}
	env := []string{
		"DATABASE=db.operator.example:5432/taskwire", "SMTP_URL=smtps://u:p@mail.operator.example", "MAIL_FROM=" + MailFrom,
		"KAFKA_BROKERS=kafka.operator.example:9093", "KAFKA_USERNAME=u", "KAFKA_PASSWORD=" + Password, "KAFKA_CA_FILE=" + ca,
	}
	all, err := services.Read(Root)
	if err != nil {
		return nil, err
	}
	for _, login := range append([]string{"OWNER"}, services.IDs(all)...) {
		env = append(env, strings.ToUpper(strings.ReplaceAll(login, "-", "_"))+"_PASSWORD="+Password)
	}
	return env, nil
}

func secretsWith(overlay string, env []string) ([]Object, error) {
	script := exec.Command("bash", filepath.Join(Root, "k8s", "secrets.sh"), overlay)
	script.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	script.Stderr = &said
	out, err := script.Output()
	if err != nil {
		return nil, fmt.Errorf("run k8s/secrets.sh %s: %w: %s", overlay, err, said.Bytes())
	}
	return parse(out)
}

// ReadFile parses the documents of a YAML file of the repository.
func ReadFile(path ...string) ([]Object, error) {
	whole, err := os.ReadFile(filepath.Join(append([]string{Root}, path...)...))
	if err != nil {
		return nil, fmt.Errorf("read a manifest: %w", err)
	}
	return parse(whole)
}

func parse(whole []byte) ([]Object, error) {
	var objects []Object
	decoder := yaml.NewDecoder(bytes.NewReader(whole))
	for {
		var o Object
		switch err := decoder.Decode(&o); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("parse YAML: %w", err)
		case o != nil:
			objects = append(objects, o)
		}
	}
}

// at is the value at a path of keys, or nil.
func at(value any, keys ...string) any {
	for _, key := range keys {
		switch m := value.(type) {
		case Object:
			value = m[key]
		case map[string]any:
			value = m[key]
		default:
			return nil
		}
	}
	return value
}

// text is a value as a manifest writes it; "" for none.
func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// list is a value that is a list, or nothing.
func list(value any) []any {
	l, _ := value.([]any)
	return l
}

// texts is a list of texts.
func texts(value any) []string {
	var all []string
	for _, v := range list(value) {
		all = append(all, text(v))
	}
	return all
}

// dict is a value that is a map, or nothing.
func dict(value any) map[string]any {
	switch m := value.(type) {
	case Object:
		return m
	case map[string]any:
		return m
	}
	return nil
}

// of are the objects of a kind.
func of(objects []Object, kinds ...string) []Object {
	var found []Object
	for _, o := range objects {
		if slices.Contains(kinds, o.Kind()) {
			found = append(found, o)
		}
	}
	return found
}

// find is the object of a kind and a name, or nil.
func find(objects []Object, kind, name string) Object {
	for _, o := range of(objects, kind) {
		if o.Name() == name {
			return o
		}
	}
	return nil
}

// namespaced says whether an object belongs to a namespace: all but these do.
func namespaced(o Object) bool {
	return o.Kind() != "Namespace" && !strings.HasPrefix(o.Kind(), "Cluster")
}

// Write is the objects as one YAML file.
func Write(objects []Object) (string, error) {
	var whole bytes.Buffer
	encoder := yaml.NewEncoder(&whole)
	for _, o := range objects {
		if err := encoder.Encode(map[string]any(o)); err != nil {
			return "", fmt.Errorf("write %s: %w", o, err)
		}
	}
	return whole.String(), nil
}
