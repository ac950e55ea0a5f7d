package packaging

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// all returns the files of the release.
func all(dir string) []string {
	files := []string{deb(dir, "1.0.0", "amd64"), deb(dir, "1.0.0", "arm64"), rpm(dir, "1.0.0", "amd64"), rpm(dir, "1.0.0", "arm64")}
	for _, arch := range []string{"amd64", "arm64"} {
		files = append(files, tarball(dir, arch), strings.Replace(tarball(dir, arch), ".tar.gz", ".cdx.json", 1))
	}
	return append(files, filepath.Join(dir, "SHA256SUMS"))
}

func tarball(dir, arch string) string { return filepath.Join(dir, "hmad-1.0.0.linux-"+arch+".tar.gz") }

// The files of a release are all there are, and the checksums are theirs.
func TestChecksumsAndContents(t *testing.T) {
	t.Parallel()
	dir := release(t)
	entries, err := filepath.Glob(dir + "/*")
	require.NoError(t, err)
	assert.ElementsMatch(t, all(dir), entries)
	sums := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	sums.Dir = dir
	_, err = tryOutput(sums)
	assert.NoError(t, err)

	into := t.TempDir()
	output(t, "tar", "-C", into, "-xf", tarball(dir, arch))
	root := into + "/hmad-1.0.0.linux-" + arch
	commit := strings.TrimSpace(output(t, "git", "-C", repository, "rev-parse", "HEAD"))
	assert.Contains(t, output(t, root+"/hmad", "version"), "hmad v1.0.0 (revision "+commit+", go")
	for _, file := range []string{"README.md", "docs/install.md", "config.example.yaml", "deploy/prometheus/hmad.rules.yaml", "deploy/systemd/hmad.service", "third-party-licences.gz"} {
		assert.FileExists(t, root+"/"+file)
	}
	list, err := os.ReadFile(strings.Replace(tarball(dir, arch), ".tar.gz", ".cdx.json", 1))
	require.NoError(t, err)
	for _, part := range []string{`"bomFormat": "CycloneDX"`, "pkg:golang/github.com/prometheus/client_golang@", "pkg:golang/go.uber.org/zap@"} {
		assert.Contains(t, string(list), part)
	}
	assert.NotContains(t, string(list), "serialNumber")
	assert.NotContains(t, string(list), "timestamp")
}

// Another folder, another umask, files of another day, the same commit: the same
// bytes.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	dir := release(t)
	elsewhere := copyOfRepository(t)
	commit := strings.TrimSpace(output(t, "git", "-C", repository, "log", "-1", "--format=%ct"))
	bin, err := filepath.Abs(repository + "/bin")
	require.NoError(t, err)
	revision := strings.TrimSpace(output(t, "git", "-C", repository, "rev-parse", "HEAD"))
	output(t, "find", elsewhere, "-exec", "touch", "-h", "-d", "2031-05-17", "{}", "+")
	again := t.TempDir()
	require.NoError(t, makePackage("077", elsewhere, again, "release", "BIN="+bin, "SOURCE_DATE_EPOCH="+commit, "VERSION=v1.0.0", "REVISION="+revision))
	for i, file := range all(dir) {
		one, err := os.ReadFile(file)
		require.NoError(t, err)
		two, err := os.ReadFile(all(again)[i])
		require.NoError(t, err)
		assert.True(t, string(one) == string(two), "%s differs", filepath.Base(file))
	}
}

// copyOfRepository copies what belongs to the repository, without its history.
func copyOfRepository(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	output(t, "sh", "-c", `cd "$0" && git ls-files -z --cached --others --exclude-standard |
		tar -c --null --files-from=- --ignore-failed-read 2>/dev/null | tar -x -C "$1"`, repository, to)
	return to
}

func TestLintianFindsNoErrors(t *testing.T) {
	t.Parallel()
	dir := release(t)
	output(t, "lintian", "--allow-root", "--fail-on=error,warning", "--tag-display-limit=0", deb(dir, "1.0.0", "amd64"), deb(dir, "1.0.0", "arm64"))
}

func TestShellcheckOnEveryScript(t *testing.T) {
	t.Parallel()
	var scripts []string
	for _, file := range lines(output(t, "git", "-C", repository, "ls-files", "--cached", "--others", "--exclude-standard")) {
		data, err := os.ReadFile(filepath.Join(repository, file))
		if err == nil && regexp.MustCompile(`^#!\S*(/| )(ba|da|)sh\b`).Match(data) {
			scripts = append(scripts, filepath.Join(repository, file))
		}
	}
	assert.Contains(t, scripts, filepath.Join(repository, "scripts/package"))
	assert.Contains(t, scripts, filepath.Join(repository, "deploy/packaging/deb/postinst"))
	out, err := tryOutput(exec.CommandContext(t.Context(), "shellcheck", scripts...))
	assert.NoError(t, err, out)
}

// The shipped config is the example without its comments: a conffile that never
// changes never has dpkg stop an upgrade to ask about it.
func TestTheShippedConfigIsTheExampleBare(t *testing.T) {
	t.Parallel()
	bare := func(file string) (head, settings []string) {
		text, err := os.ReadFile(repository + "/" + file)
		require.NoError(t, err)
		for _, line := range lines(string(text)) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				head = append(head, line)
			} else {
				settings = append(settings, line)
			}
		}
		return head, settings
	}
	_, want := bare("config.example.yaml")
	head, got := bare("deploy/packaging/hmad.yaml")
	assert.Equal(t, want, got)
	assert.Len(t, head, 2, "no prose, which would change")
	assert.Contains(t, strings.Join(head, "\n"), "/usr/share/doc/hmad/config.example.yaml")
	assert.Contains(t, strings.Join(head, "\n"), "`hmad config example`")
}

// rpmFiles returns what the package holds: by name the mode, size and flags (c
// config, n not replaced).
func rpmFiles(t *testing.T, file string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, line := range lines(output(t, "rpm", "-qp", "--qf", `[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILEFLAGS:fflags}\n]`, file)) {
		name, about, _ := strings.Cut(line, " ")
		files[name] = strings.TrimSpace(about)
	}
	return files
}

func TestRpmHoldsWhatTheDebHolds(t *testing.T) {
	t.Parallel()
	dir := release(t)
	files := rpmFiles(t, rpm(dir, "1.0.0", "amd64"))
	var inRpm []string
	for name := range files {
		inRpm = append(inRpm, name)
	}
	assert.ElementsMatch(t, inRpm, lines(output(t, "rpm", "-qpl", rpm(dir, "1.0.0", "arm64"))), "both architectures hold the same")
	assert.Equal(t, "-rwxr-xr-x root", files["/usr/bin/hmad"])
	assert.Equal(t, "-rw-r--r-- root cn", files["/etc/hmad/hmad.yaml"])
	assert.Equal(t, "-rw-r--r-- root cn", files["/etc/default/hmad"])
	assert.NotContains(t, inRpm, "/usr/bin", "folders of the distribution are not ours")

	var inDeb []string
	for _, line := range lines(output(t, "dpkg-deb", "-c", deb(dir, "1.0.0", "amd64"))) {
		fields := strings.Fields(line)
		assert.Equal(t, "root/root", fields[1])
		if name := strings.TrimPrefix(fields[5], "."); !strings.HasSuffix(name, "/") {
			inDeb = append(inDeb, name)
		}
	}
	elsewhere := strings.NewReplacer("/site-functions/", "/vendor-completions/")
	want := []string{"/usr/share/lintian/overrides/hmad"}
	for name, about := range files {
		if !strings.HasPrefix(about, "d") {
			want = append(want, elsewhere.Replace(name))
		}
	}
	assert.ElementsMatch(t, want, inDeb)

	for _, script := range []string{"postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet"} {
		assert.Contains(t, output(t, "rpm", "-qp", "--scripts", rpm(dir, "1.0.0", "amd64")), script)
	}
}

// Rules, dashboards and the collector come along; their tests do not.
func TestWhatIsShared(t *testing.T) {
	t.Parallel()
	want := []string{"/usr/share/hmad/config.schema.json"}
	for _, folder := range []string{"prometheus", "alertmanager", "grafana", "exchange"} {
		err := filepath.WalkDir(repository+"/deploy/"+folder, func(file string, d os.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "tests" || d.Name() == "testdata" || d.Name() == "testbed"):
				return filepath.SkipDir
			case !d.IsDir() && filepath.Ext(file) != ".go":
				want = append(want, strings.Replace(file, repository+"/deploy", "/usr/share/hmad", 1))
			}
			return nil
		})
		require.NoError(t, err)
	}
	require.Greater(t, len(want), 1)
	var got []string
	for name, about := range rpmFiles(t, rpm(release(t), "1.0.0", "amd64")) {
		if strings.HasPrefix(name, "/usr/share/hmad/") && !strings.HasPrefix(about, "d") {
			got = append(got, name)
		}
	}
	assert.ElementsMatch(t, want, got)
}

// The documents lie as they do in the repository, beside what they link to.
func TestLinksOfTheDocuments(t *testing.T) {
	t.Parallel()
	into := t.TempDir()
	output(t, "dpkg-deb", "-x", deb(release(t), "1.0.0", arch), into)
	docs := lines(output(t, "find", into+"/usr/share/doc/hmad/", "-name", "*.md"))
	require.Greater(t, len(docs), 10)
	seen := 0
	for _, file := range docs {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\]\(([^)\s#]+)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			seen++
			to := filepath.Join(filepath.Dir(file), m[1])
			assert.True(t, strings.HasPrefix(to, into+"/usr/share/"), "%s: %s", file, m[1])
			assert.FileExists(t, to, "%s: %s", file, m[1])
		}
	}
	assert.Greater(t, seen, 40)
}

func TestBinaries(t *testing.T) {
	t.Parallel()
	dir := release(t)
	for debian, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		into := t.TempDir()
		output(t, "dpkg-deb", "-x", deb(dir, "1.0.0", debian), into)
		f, err := elf.Open(into + "/usr/bin/hmad")
		require.NoError(t, err)
		defer f.Close()
		assert.Equal(t, machine, f.Machine)
		linked := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
		assert.False(t, linked, "the binary is static")
	}
}

func TestManPageAndCompletions(t *testing.T) {
	t.Parallel()
	into := t.TempDir()
	output(t, "dpkg-deb", "-x", deb(release(t), "1.0.0", arch), into)
	man := exec.CommandContext(t.Context(), "man", "--warnings", "-E", "UTF-8", "-l", into+"/usr/share/man/man1/hmad.1.gz")
	man.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
	text, err := tryOutput(man)
	require.NoError(t, err)
	assert.Contains(t, text, "hmad - watch hybrid Modern Authentication for Outlook mobile")
	for _, part := range []string{"--web.listen-address", "\nFILES\n", "\nEXIT STATUS\n", "\nENVIRONMENT\n", "\nSEE ALSO\n"} {
		assert.Contains(t, text, part)
	}
	assert.Regexp(t, `\n +First config: +hmad config example`, text, "the examples keep their lines")
	assert.Contains(t, output(t, "lexgrog", into+"/usr/share/man/man1/hmad.1.gz"), `"hmad - watch hybrid`, "as whatis has it")

	words := func(typed string) []string {
		return slices.Compact(strings.Fields(output(t, "bash", "-c", `PATH=$1/usr/bin:$PATH; . "$1/usr/share/bash-completion/completions/hmad"
			COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _hmad_bash_autocomplete; echo "${COMPREPLY[@]}"`, "-", into, typed)))
	}
	assert.Equal(t, []string{"check"}, words("hmad che"))
	assert.Equal(t, []string{"--storage.path"}, words("hmad run --sto"))
	assert.Equal(t, []string{"activesync"}, words("hmad check act"), "checks")
	assert.Equal(t, []string{"activesync.bearer_missing"}, words("hmad explain activesync.bearer_m"), "reasons")
	assert.Equal(t, []string{"autodiscover.url_missing"}, words("hmad demo --break autodiscover.url_miss"), "faults")
	assert.Equal(t, []string{"json"}, words("hmad doctor --output js"), "values of a flag")
	zsh, err := os.ReadFile(into + "/usr/share/zsh/vendor-completions/_hmad")
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(zsh), "#compdef hmad\n"), "where zsh looks for it")
	fish := output(t, "fish", "-N", "-c", `set -gx PATH $argv[1]/usr/bin $PATH; source $argv[1]/usr/share/fish/vendor_completions.d/hmad.fish
		complete -C "hmad check act"; complete -C "hmad explain activesync.bearer_m"`, into)
	assert.Equal(t, []string{"activesync", "activesync.bearer_missing"}, lines(fish))
}
