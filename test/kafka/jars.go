// Package kafka starts a real Apache Kafka for tests: one node in KRaft mode,
// on loopback, from an installation or from jars that Maven fetches.
package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// version is the Kafka that is fetched where none is named; it runs on Java 17.
const version = "4.4.0"

// fetchTime is how long Maven may take before it counts as cut off.
const fetchTime = 5 * time.Minute

// project asks Maven for the broker, and for what writes its log.
const project = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.taskwire</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + version + `</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  </dependencies>
</project>
`

// Fetch returns a folder of Kafka's jars below cache, and fills it the first
// time. The error says in one line why there is none.
func Fetch(ctx context.Context, cache string) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", errors.New("there is no java")
	}
	home := filepath.Join(cache, "kafka-"+version)
	if _, err := jars(home); err == nil {
		return home, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", errors.New("there is no mvn to fetch it with")
	}
	dir, err := os.MkdirTemp("", "taskwire-kafka-")
	if err != nil {
		return "", fmt.Errorf("make a folder for Maven: %w", err)
	}
	defer os.RemoveAll(dir)
	pom := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pom, []byte(project), 0o600); err != nil {
		return "", fmt.Errorf("write a project for Maven: %w", err)
	}
	fresh := home + ".new" // an interrupted fetch leaves no half installation
	if err := os.RemoveAll(fresh); err != nil {
		return "", fmt.Errorf("clear an unfinished fetch: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "--file", pom,
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+fresh).CombinedOutput()
	if err != nil {
		first, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
		return "", fmt.Errorf("no answer from Maven Central (%w: %s)", err, first)
	}
	if err := os.Rename(fresh, home); err != nil {
		return "", fmt.Errorf("keep Kafka's jars: %w", err)
	}
	return home, nil
}

// jars is the class path of an installation (its folder libs) or of a folder
// of jars.
func jars(home string) (string, error) {
	for _, dir := range []string{filepath.Join(home, "libs"), home} {
		found, err := filepath.Glob(filepath.Join(dir, "kafka_2.*.jar"))
		if err != nil {
			return "", fmt.Errorf("look for Kafka in %s: %w", dir, err)
		}
		if len(found) > 0 {
			return filepath.Join(dir, "*"), nil // java's own wildcard
		}
	}
	return "", fmt.Errorf("%s holds no Kafka: no kafka_2.*.jar there, nor in its libs", home)
}
