package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// writeResources is the command that prepares `dapr run -f dapr`.
func writeResources(context.Context, []string) error {
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	b, err := chooseBroker()
	if err != nil {
		return err
	}
	dir := filepath.Join(stateDir(root), "resources")
	if err := assemble(filepath.Join(root, "dapr", "components"), dir, b.Kind); err != nil {
		return err
	}
	fmt.Println("wrote", dir)
	return nil
}

// assemble copies the components into dir: those of the chosen broker and those
// of any. A sidecar loads every file of a folder, and both brokers are the same
// component.
func assemble(components, dir, kind string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear the resources: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the resources: %w", err)
	}
	for _, name := range []string{"resiliency.yaml", filepath.Join(kind, "pubsub.yaml")} {
		text, err := os.ReadFile(filepath.Join(components, name))
		if err != nil {
			return fmt.Errorf("read a component: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o644); err != nil {
			return fmt.Errorf("write a component: %w", err)
		}
	}
	return nil
}

// writeConfig writes the sidecars' configuration with the ports of this run.
func writeConfig(from, to string, apps []*app) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	config := map[string]any{}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("parse %s: %w", from, err)
	}
	at := config
	for _, key := range []string{"spec", "nameResolution", "configuration"} {
		next, ok := at[key].(map[string]any)
		if !ok {
			return fmt.Errorf("%s has no spec.nameResolution.configuration", from)
		}
		at = next
	}
	at["template"] = resolveTemplate(apps)
	if text, err = yaml.Marshal(config); err != nil {
		return fmt.Errorf("encode the configuration: %w", err)
	}
	if err := os.WriteFile(to, text, 0o644); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}
