package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/prometheus/exporter-toolkit/web"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/config"
)

// maxWebFile bounds a web config and each file that it names, in bytes.
const maxWebFile = 1 << 20

// webFile is what hmad itself reads of a web config.
type webFile struct {
	Users map[string]string `yaml:"basic_auth_users"`
	TLS   struct {
		CertFile     string   `yaml:"cert_file"`
		Key          string   `yaml:"key"`
		KeyFile      string   `yaml:"key_file"`
		ClientCAFile string   `yaml:"client_ca_file"`
		ClientAuth   string   `yaml:"client_auth_type"`
		SANs         []string `yaml:"client_allowed_sans"`
	} `yaml:"tls_server_config"`
}

// readWebFile reads the web config at path; of no web config, nothing.
func readWebFile(path string) (webFile, error) {
	var conf webFile
	if path == "" {
		return conf, nil
	}
	data, err := readFile(path, maxWebFile)
	if err != nil {
		return conf, err
	}
	if err := yaml.Unmarshal(data, &conf); err != nil {
		return conf, fmt.Errorf("%s: %s", path, webError(err))
	}
	return conf, nil
}

// readDemands returns what the web config at path asks; of no web config, nothing.
func readDemands(path string) (demands, error) {
	conf, err := readWebFile(path)
	return demands{conf.Users, conf.TLS.ClientAuth == "RequireAndVerifyClientCert", conf.TLS.SANs}, err
}

// files returns the files that the web config at path names, by setting. Their
// names may be relative to its folder.
func (f webFile) files(path string) map[string]string {
	t := web.TLSConfig{TLSCertPath: f.TLS.CertFile, TLSKeyPath: f.TLS.KeyFile, ClientCAs: f.TLS.ClientCAFile}
	t.SetDirectory(filepath.Dir(path))
	all := map[string]string{"cert_file": t.TLSCertPath, "key_file": t.TLSKeyPath, "client_ca_file": t.ClientCAs}
	maps.DeleteFunc(all, func(_, name string) bool { return name == "" })
	return all
}

// shown returns the name of a file that a setting of the web config names, as far
// as an error may show it: as the file has it, it may be the secret itself.
func (f webFile) shown(setting, name string) string {
	text := map[string]string{"cert_file": f.TLS.CertFile, "key_file": f.TLS.KeyFile, "client_ca_file": f.TLS.ClientCAFile}[setting]
	if shown := config.ShownFile(text); shown != text {
		return shown
	}
	return name
}

// validateWeb judges a web config as the toolkit does. Its errors do not name it.
func validateWeb(path string) error {
	err := readable(path)
	if err == nil {
		err = config.FileError(web.Validate(path))
	}
	if err != nil {
		return errors.New(webError(err))
	}
	return nil
}

// readable reads a web config and the files that it names before the toolkit
// does, which would wait for the other end of a FIFO. What else is wrong with them
// the toolkit says.
func readable(path string) error {
	if path == "" {
		return nil
	}
	if _, err := config.ReadFile(path, maxWebFile); err != nil {
		return err
	}
	conf, err := readWebFile(path)
	if err != nil {
		return nil
	}
	files := conf.files(path)
	for _, setting := range slices.Sorted(maps.Keys(files)) {
		if _, err := config.ReadFile(files[setting], maxWebFile); err != nil {
			return fmt.Errorf("tls_server_config.%s: %s: %w", setting, conf.shown(setting, files[setting]), err)
		}
	}
	return nil
}

// webError returns the text of an error in a web config, in one line and without
// the values that it quotes: somebody may have written a password where its hash
// or its user is wanted.
func webError(err error) string { return config.ShownQuotes(oneLine(err)) }

// webSecrets returns the files with secrets of a web config: its key, and itself
// where it has the hashes of passwords or a key. A config that cannot be read has
// none.
func webSecrets(path string) []config.NamedFile {
	conf, err := readWebFile(path)
	if err != nil {
		return nil
	}
	var all []config.NamedFile
	if len(conf.Users) > 0 || conf.TLS.Key != "" {
		all = append(all, config.NamedFile{Setting: "--web.config.file", Name: path})
	}
	if key := conf.files(path)["key_file"]; key != "" {
		all = append(all, config.NamedFile{Setting: "key_file of the web config", Name: key})
	}
	return all
}

// webLog is the log of the toolkit, which reads the web config anew for each
// request and logs what is wrong with it.
type webLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (l webLog) Handle(ctx context.Context, r slog.Record) error {
	shown := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" {
			a.Value = slog.StringValue(webError(errors.New(a.Value.String())))
		}
		shown.AddAttrs(a)
		return true
	})
	return l.Handler.Handle(ctx, shown)
}
