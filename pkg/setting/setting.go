// Package setting reads the settings of a service from environment variables into a
// struct, and says in its reader's words which of them are wrong.
//
// Beside the tags of caarlos0/env a field may have these:
//
//	min:"1s" max:"10m"   the bounds of a number or a duration
//	oneof:"text json"    all that a text may be
//	is:"true or false"   what it must be, where type and bounds do not say it
//	neededBy:"serve"     it has to be set for that command alone
//	secret:"value"       it is never shown, and NAME_FILE may name a file that holds it
//	secret:"url"         the same, but shown without its password
//
// What they can not say is for the struct's Validate: the text of its error has a line
// for each setting that is wrong, which begins with the name.
package setting

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Value is a setting in force, as it may be shown to everybody.
type Value struct {
	Name string
	Text string
	From string // "environment", "default", or the file that holds it
}

// Load reads the settings for a command into the struct that into points to, and checks
// them. Its error has a line for each that is wrong, which begins with the name.
func Load(into any, command string) ([]Value, error) {
	l := loader{command: command, environment: env.ToMap(os.Environ()), wrong: map[string]bool{}}
	l.load(reflect.ValueOf(into).Elem())
	if v, ok := into.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			l.add(err)
		}
	}
	for _, f := range l.missing {
		l.errs = append(l.errs, missing(f, "must be "+must(f)))
	}
	return l.values, errors.Join(l.errs...)
}

type loader struct {
	command     string
	environment map[string]string
	values      []Value
	missing     []reflect.StructField
	wrong       map[string]bool // by name
	errs        []error
}

func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
	return name
}

func (l *loader) load(settings reflect.Value) {
	for i := range settings.NumField() {
		f := settings.Type().Field(i)
		switch {
		case nameOf(f) != "":
			if err := l.read(f, settings.Field(i)); err != nil {
				l.wrong[nameOf(f)] = true
				l.errs = append(l.errs, err)
			}
		case f.Type.Kind() == reflect.Struct:
			l.load(settings.Field(i))
		}
	}
}

// read reads one setting.
func (l *loader) read(f reflect.StructField, into reflect.Value) error {
	name := nameOf(f)
	value := Value{Name: name, From: "environment"}
	if path := l.environment[name+"_FILE"]; path != "" && f.Tag.Get("secret") != "" {
		value.From = path
		if err := l.readFile(name, path); err != nil {
			return err
		}
	}
	text := l.environment[name]
	// Alone in a struct of its own: its error is known to be that of this field.
	alone := reflect.New(reflect.StructOf([]reflect.StructField{f}))
	err := env.ParseWithOptions(alone.Interface(), env.Options{Environment: l.environment})
	into.Set(alone.Elem().Field(0))
	switch {
	case errors.As(err, new(env.VarIsNotSetError)), errors.As(err, new(env.EmptyVarError)), text == "" && l.command != "" && f.Tag.Get("neededBy") == l.command:
		l.missing = append(l.missing, f)
		return nil
	case err != nil, text != "" && !allowed(f, into):
		if f.Tag.Get("secret") != "" {
			return fmt.Errorf("%s must be %s", name, must(f))
		}
		return fmt.Errorf("%s must be %s, not %q", name, must(f), Redact(text))
	}
	if text == "" {
		text, value.From = f.Tag.Get("envDefault"), "default"
	}
	switch f.Tag.Get("secret") {
	case "":
		value.Text = Redact(text)
	case "url":
		value.Text = withoutPassword(text)
	default:
		value.Text = masked(text)
	}
	l.values = append(l.values, value)
	return nil
}

// readFile takes the value of a secret from the file that holds it.
func (l *loader) readFile(name, path string) error {
	if l.environment[name] != "" {
		return fmt.Errorf("%s and %s_FILE are both set; only one of them may be", name, name)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		if pathErr := new(fs.PathError); errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return fmt.Errorf("%s_FILE must name a file that can be read, not %q: %w", name, path, err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	if text == "" {
		return fmt.Errorf("%s_FILE must name a file that holds the value; %q is empty", name, path)
	}
	l.environment[name] = text
	return nil
}

// add takes in what Validate says, but for settings whose value could not even be read.
func (l *loader) add(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		if l.wrong[name] {
			continue
		}
		found := errors.New(line)
		at := slices.IndexFunc(l.missing, func(f reflect.StructField) bool { return nameOf(f) == name })
		if at >= 0 {
			found = missing(l.missing[at], rest)
			l.missing = slices.Delete(l.missing, at, at+1)
		}
		l.errs = append(l.errs, found)
	}
}

func missing(f reflect.StructField, must string) error {
	if f.Tag.Get("secret") != "" {
		return fmt.Errorf("%[1]s is not set, nor is %[1]s_FILE; it %[2]s", nameOf(f), must)
	}
	return fmt.Errorf("%s is not set; it %s", nameOf(f), must)
}

// must says what a setting must be.
func must(f reflect.StructField) string {
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	bounds := ""
	switch {
	case low != "" && high != "":
		bounds = " from " + low + " to " + high
	case low != "":
		bounds = " of at least " + low
	}
	switch {
	case f.Tag.Get("is") != "":
		return f.Tag.Get("is")
	case f.Tag.Get("oneof") != "":
		return either(strings.Fields(f.Tag.Get("oneof")))
	case f.Type == reflect.TypeFor[bool]():
		return "true or false"
	case f.Type == reflect.TypeFor[slog.Level]():
		return "debug, info, warn or error"
	case f.Type == reflect.TypeFor[time.Duration]():
		return "a duration" + bounds + ", such as 30s, 5m or 72h"
	case f.Type == reflect.TypeFor[int]():
		return "a whole number" + bounds
	}
	return "a text"
}

func either(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// allowed says whether a value is among those that its tags allow.
func allowed(f reflect.StructField, value reflect.Value) bool {
	if words := strings.Fields(f.Tag.Get("oneof")); len(words) > 0 {
		return slices.Contains(words, value.String())
	}
	for tag, outside := range map[string]func(value, bound int64) bool{
		"min": func(value, bound int64) bool { return value < bound },
		"max": func(value, bound int64) bool { return value > bound },
	} {
		if bound := f.Tag.Get(tag); bound != "" && outside(value.Int(), parseBound(f.Type, bound)) {
			return false
		}
	}
	return true
}

// parseBound reads a tag; one that can not be read is a mistake in the code.
func parseBound(of reflect.Type, tag string) int64 {
	if of == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(tag)
		if err != nil {
			panic(err)
		}
		return int64(d)
	}
	n, err := strconv.ParseInt(tag, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}
