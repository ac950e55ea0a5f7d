package config_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// Every setting that names a file is one of a secret, but for these.
func TestEveryFileWithASecretIsKnownAsOne(t *testing.T) {
	public := map[string]bool{"ca_file": true, "onprem.report.cert_file": true, "onprem.report.client_ca_file": true, "onprem.ldap.ca_file": true,
		"allow_list.endpoints_file": true, "allow_list.version_file": true}
	var tree any
	want := map[string]string{}
	for _, path := range checktest.Settings() {
		setting := strings.ReplaceAll(strings.Trim(fmt.Sprint(path[min(2, len(path)):]), "[]"), " ", ".")
		if strings.HasSuffix(setting, "_file") && !public[setting] {
			want[setting] = "/" + setting
			tree = checktest.Set(tree, path, want[setting])
		}
	}
	text, err := yaml.Marshal(tree)
	require.NoError(t, err)
	f, _ := config.Parse("hmad.yaml", text)
	got := map[string]string{}
	for _, s := range f.Targets[0].SecretFiles() {
		got[s.Setting] = s.Name
	}
	assert.Equal(t, want, got)
	assert.Contains(t, slices.Collect(maps.Keys(want)), "onprem.ldap.password_file")
	assert.Empty(t, config.Target{}.SecretFiles())
}

// Every setting that names a file, or a folder, is judged at the start.
func TestEverySettingThatNamesAFileIsKnown(t *testing.T) {
	var want, got []string
	for _, path := range checktest.Settings() {
		setting := strings.ReplaceAll(strings.Trim(fmt.Sprint(path[min(2, len(path)):]), "[]"), " ", ".")
		if strings.HasSuffix(setting, "_file") || strings.HasSuffix(setting, ".file") {
			want = append(want, setting)
		}
	}
	for _, f := range (config.Target{}).FileSettings() {
		got = append(got, f.Setting)
	}
	assert.ElementsMatch(t, want, got)
}

// The table in the documents says of every setting what its file has to do.
func TestTheTableOfFilesInTheDocuments(t *testing.T) {
	table := "| setting | a file that is not there | read by | when |\n|---|---|---|---|\n"
	for _, f := range (config.Target{}).FileSettings() {
		missing := map[bool]string{true: "warning", false: "error"}[f.Later]
		table += fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.Setting, missing, f.By, f.When)
	}
	text, err := os.ReadFile("../../docs/operate.md")
	require.NoError(t, err)
	assert.Contains(t, string(text), "\n\n"+table+"\n", "docs/operate.md wants this table:\n%s", table)
}

func TestReadable(t *testing.T) {
	dir := t.TempDir()
	file := checktest.Written(t, "file", "text")
	for name, c := range map[string]struct {
		file  config.NamedFile
		want  string // none: readable
		waits bool
	}{
		"a file":                        {config.NamedFile{Name: file}, "", false},
		"a file where a folder may be":  {config.NamedFile{Name: file, Folder: true}, "", false},
		"a folder where one may be":     {config.NamedFile{Name: dir, Folder: true}, "", false},
		"a folder where a file must be": {config.NamedFile{Name: dir, Later: true}, "got a directory, want a file", false},
		"a device":                      {config.NamedFile{Name: "/dev/zero", Later: true}, "got a device, want a file", false},
		"nothing":                       {config.NamedFile{Name: dir + "/none"}, "no such file or directory", false},
		"nothing yet":                   {config.NamedFile{Name: dir + "/none", Later: true, Folder: true}, "no such file or directory", true},
		"below a file":                  {config.NamedFile{Name: file + "/none", Later: true}, "not a directory", false},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.file.Readable()
			assert.Equal(t, c.waits, c.file.Waits(err))
			if c.want == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, c.want)
			}
		})
	}
	denied := config.FileError(&fs.PathError{Op: "open", Path: file, Err: syscall.EACCES})
	assert.EqualError(t, denied, "permission denied: user "+config.User()+" may not read it")
	assert.True(t, config.NamedFile{Later: true}.Waits(denied))
	assert.False(t, config.NamedFile{}.Waits(denied))
}
