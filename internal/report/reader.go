package report

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// MaxFiles bounds the reports of a folder: one file per Exchange server.
const MaxFiles = 256

// Arrived is one file of the folder of reports.
type Arrived struct {
	Report        // the newest good copy; Host is empty where there was none yet
	File   string // base name
	// Err is why the file's present content cannot be used; Report is then an
	// earlier copy. ErrTruncated is normal for a moment while the collector
	// writes without a rename.
	Err error
}

// Reader reads the reports of a folder, remembering each file's last good
// copy, so that one half-written file does not hide a host. The zero Reader is
// ready; it is not for use by several goroutines at once.
type Reader struct {
	last map[string]Report // by file
}

// ReadFolder reads a folder once, without any earlier copies.
func ReadFolder(env check.Env, folder string) ([]Arrived, error) {
	return new(Reader).Read(env, folder)
}

// Read returns every host's report in the folder, sorted by file: of files of
// one host the newest, the others with an error. Only files that end in .json
// are looked at; folder may also be a single file. An error, of class report,
// means that the folder itself is not there or cannot be read.
func (d *Reader) Read(env check.Env, folder string) ([]Arrived, error) {
	files, err := env.ReadDir(folder)
	if err != nil {
		one := d.read(env, folder)
		switch {
		case one.Host != "":
			return []Arrived{one}, nil
		case errors.Is(err, fs.ErrNotExist):
			return nil, check.Errorf(check.ReportInput, "no report has arrived yet, %s does not exist: "+
				"docs/onprem-report.md says how Exchange servers send theirs, and `hmad check` and `hmad doctor` want the daemon's --storage.path", folder)
		default:
			return nil, check.Errorf(check.ReportInput, "the reports in %s cannot be read: %w", folder, err)
		}
	}
	files = slices.DeleteFunc(files, func(f string) bool { return !strings.HasSuffix(strings.ToLower(f), ".json") })
	if len(files) > MaxFiles {
		return nil, check.Errorf(check.ReportInput, "%s holds %d reports, want at most %d", folder, len(files), MaxFiles)
	}
	all := make([]Arrived, len(files))
	for i, f := range files {
		all[i] = d.read(env, f)
	}
	maps.DeleteFunc(d.last, func(f string, _ Report) bool { return !slices.Contains(files, f) })
	onePerHost(all)
	return all, nil
}

// read reads one file, or returns its last good copy with the reason.
func (d *Reader) read(env check.Env, file string) Arrived {
	a := Arrived{File: path.Base(strings.ReplaceAll(file, `\`, "/"))}
	data, err := env.ReadFile(file, MaxSize)
	if err == nil {
		a.Report, err = Decode(data)
	}
	if err != nil {
		a.Report, a.Err = d.last[file], check.Errorf(check.ReportInput, "%s: %w", a.File, err)
		return a
	}
	if d.last == nil {
		d.last = map[string]Report{}
	}
	d.last[file] = a.Report
	return a
}

// onePerHost marks all but the newest report of each host: a stale copy of the
// file must not pass for a second server.
func onePerHost(all []Arrived) {
	newest := map[string]int{}
	for i, a := range all {
		if a.Host == "" {
			continue
		}
		j, seen := newest[a.FileName()]
		if !seen {
			newest[a.FileName()] = i
			continue
		}
		if a.GeneratedAt.After(all[j].GeneratedAt) {
			newest[a.FileName()], i, j = i, j, i
		}
		all[i].Err = errors.Join(all[i].Err, check.Errorf(check.ReportInput, "%s: an older report of %s than %s", all[i].File, all[i].Host, all[j].File))
		all[i].Report = Report{}
	}
}
