package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// schema is a JSON schema, or a part of one.
type schema map[string]any

// durationForm is that of time.ParseDuration, as far as the config needs it.
const durationForm = `^-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`

// choices are the settings that take one of a few words.
var choices = map[string][]string{
	"vantage": {Internal, External}, "addresses": {FirstAddress, AllAddresses},
	"mailbox_label": {LabelAddress, LabelHash, LabelNone}, "export": {ExportAuto, ExportAll, ExportNotable},
	"severity": {severityWarning, severityCritical},
}

// Schema returns the JSON schema (draft 2020-12) of the config for editors and
// other programs: the form of the file, made of its types. Reasons are those of
// each check, by its name. What only Parse can judge (the form of a URL, a
// schedule's dates, files) is not in it.
func Schema(reasons map[string][]string) ([]byte, error) {
	s := schemaOf(reflect.TypeFor[File](), reasons)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "The config of hmad"
	return json.MarshalIndent(s, "", "  ")
}

// schemaOf returns the schema of a type of the config. A list or mapping may be
// left empty, which YAML calls null.
func schemaOf(t reflect.Type, reasons map[string][]string) schema {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return schema{"type": "string", "pattern": durationForm}
	case t == reflect.TypeFor[Date]():
		return schema{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`}
	case t == reflect.TypeFor[ConnectTo]():
		return schema{"type": []string{"object", "null"}, "additionalProperties": schema{"type": "string"}}
	case t == reflect.TypeFor[map[string]CheckSettings]():
		return checksSchema(reasons)
	case reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()):
		return schema{"type": "string"} // a typed value: an address, a URL, a schedule
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), reasons)
	case reflect.Slice:
		return schema{"type": []string{"array", "null"}, "items": schemaOf(t.Elem(), reasons)}
	case reflect.Struct:
		return structSchema(t, reasons)
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int:
		return schema{"type": "integer"}
	case reflect.Float64:
		return schema{"type": "number"}
	default:
		return schema{"type": "string"}
	}
}

// structSchema returns the schema of a mapping with the keys of a struct and no
// others. Keys that the struct never leaves out are required.
func structSchema(t reflect.Type, reasons map[string][]string) schema {
	properties, required := schema{}, []string{}
	for i := range t.NumField() {
		tag, written := t.Field(i).Tag.Lookup("yaml")
		key, options, _ := strings.Cut(tag, ",")
		switch {
		case !written:
			continue
		case strings.Contains(options, "inline"):
			maps.Copy(properties, schemaOf(t.Field(i).Type, reasons)["properties"].(schema))
			continue
		}
		properties[key] = schemaOf(t.Field(i).Type, reasons)
		if words := choices[key]; words != nil {
			properties[key] = schema{"enum": words}
		}
		if !strings.Contains(options, "omitempty") {
			required = append(required, key)
		}
	}
	s := schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["type"], s["required"] = "object", required
	}
	return s
}

// checksSchema returns the schema of the settings of checks: each has reasons of
// its own to accept.
func checksSchema(reasons map[string][]string) schema {
	properties := schema{}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		s := structSchema(reflect.TypeFor[CheckSettings](), reasons)
		waiver := s["properties"].(schema)["accept"].(schema)["items"].(schema)["properties"].(schema)
		waiver["reason"] = schema{"enum": reasons[name]}
		properties[name] = s
	}
	return schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
}
