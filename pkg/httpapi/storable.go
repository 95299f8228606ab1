package httpapi

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/pkg/database"
)

// unstorable names every text of an operation's input that Postgres cannot
// keep: a NUL, or bytes that are no UTF-8. JSON and URLs can carry both. And it names
// every Timestamp that is none.
func unstorable(v reflect.Value, path string) []FieldError {
	switch v.Kind() {
	case reflect.String:
		if !database.Storable(v.String()) {
			return []FieldError{{path, "must be valid UTF-8 without NUL characters"}}
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return unstorable(v.Elem(), path)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil
		}
		var found []FieldError
		for i := range v.Len() {
			found = append(found, unstorable(v.Index(i), path+"["+strconv.Itoa(i)+"]")...)
		}
		return found
	case reflect.Struct:
		if t, ok := v.Interface().(Timestamp); ok {
			if t.loose {
				return []FieldError{{path, timeMessage}}
			}
			return nil
		}
		var found []FieldError
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() {
				found = append(found, unstorable(v.Field(i), join(path, place(f)))...)
			}
		}
		return found
	}
	return nil
}

// place is how a problem document names a field of an input struct; "" for
// one that only wraps another.
func place(f reflect.StructField) string {
	for _, in := range []string{"path", "query", "header", "cookie"} {
		if name, ok := f.Tag.Lookup(in); ok {
			return in + "." + strings.Split(name, ",")[0]
		}
	}
	if name, ok := f.Tag.Lookup("json"); ok {
		return strings.Split(name, ",")[0]
	}
	if f.Name == "Body" {
		return "body"
	}
	return ""
}

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}
