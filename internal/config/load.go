package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// maxFile limits a config file, in bytes.
const maxFile = 4 << 20

// Defaults of settings that the file leaves out.
const (
	defaultConfirmAfter = 5 * time.Second
	defaultOpenID       = "https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration"
)

// Load reads and validates the file at path. The error is an Errors with all
// errors of the file. Together with it Load returns what could be read, nil if
// nothing could, so that the caller can build the sound targets and add their
// errors (see Sound).
func Load(path string) (*File, error) {
	data, err := ReadFile(path, maxFile)
	if err != nil {
		msg := err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			msg += "; name the config with --config.file, or begin one: hmad config example > hmad.yaml"
		}
		return nil, Errors{{File: path, Msg: msg}}
	}
	return Parse(path, data)
}

// Parse reads and validates the text of a config. Errors name the file as name.
// The results are those of Load.
func Parse(name string, data []byte) (*File, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, unreadable(name, data, err)
	}
	f := &File{path: name, lines: linesOf(&doc)}
	var es Errors
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		es = fromYAML(name, err, f.lines)
	} else if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		es = append(es, &Error{File: name, Msg: "got more than one YAML document, want one"})
	}
	f.setDefaults()
	f.faults = append(es, f.judge(es)...)
	return f, f.faults.sorted()
}

// Sound reports whether target i has no error so far: only then can checks be
// built from it.
func (f *File) Sound(i int) bool {
	first, end := f.lines.of(fmt.Sprintf("targets[%d]", i)), 0
	if i+1 < len(f.Targets) {
		end = f.lines.of(fmt.Sprintf("targets[%d]", i+1))
	}
	return !slices.ContainsFunc(f.faults, func(e *Error) bool { return e.Line >= first && (end == 0 || e.Line < end) })
}

// judge validates what could be read. A setting that could not be read looks as
// if it were missing, and a mapping that has a key twice is not read at all:
// neither is reported a second time.
func (f *File) judge(unread Errors) Errors {
	told, paths := map[int]bool{}, map[string]bool{}
	for _, e := range unread {
		if strings.HasPrefix(e.Msg, "mapping key") {
			return nil
		}
		told[e.Line], paths[e.Path] = true, e.Path != ""
	}
	return slices.DeleteFunc(f.validate(), func(e *Error) bool { return told[e.Line] || paths[e.Path] })
}

func (f *File) setDefaults() {
	if _, given := f.lines["confirm_after"]; !given {
		f.ConfirmAfter = defaultConfirmAfter
	}
	for i := range f.Targets {
		t := &f.Targets[i]
		setDefault(&t.Vantage, Internal)
		setDefault(&t.Addresses, FirstAddress)
		setUnless(&t.Entra.OpenIDConfiguration, defaultOpenID, readTenantURL)
		t.setOnPremDefaults()
		t.Sync.setDefaults()
		setDuration(&t.TLSOffload.Every, time.Hour)
		t.CloudAutodiscover.setDefaults()
		t.AutoDetect.setDefaults()
		setDuration(&t.AllowList.Every, time.Hour)
		setUnless(&t.AllowList.Endpoints, defaultEndpoints, readURL)
	}
}

func setDefault(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

// setUnless sets what the file leaves out.
func setUnless[T interface{ IsZero() bool }](s *T, text string, read func(string) T) {
	if !(*s).IsZero() {
		return
	}
	*s = read(text)
}

// Show returns the config as YAML, with defaults. It holds no secrets: a config
// only names the files that hold them, and what may be one all the same is withheld.
func (f *File) Show() ([]byte, error) {
	var n yaml.Node
	if err := n.Encode(f); err != nil {
		return nil, err
	}
	hideSecrets(&n)
	return yaml.Marshal(&n)
}
