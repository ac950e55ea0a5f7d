package report

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

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
	// Stranger is the host of a report that the config does not expect; empty:
	// none. Report is then empty, and what the file says is not used.
	Stranger string
}

// maxFolder bounds the files of a folder together, in bytes. What is over it is
// refused, the largest files first: 256 servers have 128 kB each, and the reports
// of a collector have some 15 kB.
const maxFolder = 32 << 20

// Reader reads the reports of a folder, remembering each file's last good
// copy, so that one half-written file does not hide a host. Of a copy it keeps the
// facts, not the bytes, and a file that has not changed is not decoded again. The
// zero Reader is ready, and safe for concurrent use.
type Reader struct {
	mu    sync.Mutex
	last  map[string]copyOf // by file
	large []string          // files that were over fairShare at the last reading
}

// copyOf is a file's last good report.
type copyOf struct {
	Report
	sum [sha256.Size]byte // of the file's bytes
}

// Of returns the function that reads a target's reports, which all its checks
// share. Where hosts are named, those of other hosts are Strangers.
func Of(env check.Env, hosts []string) func() ([]Arrived, error) {
	reader := check.SharedOf[Reader](env.Shared)
	return func() ([]Arrived, error) {
		if env.Reports == "" {
			return nil, check.Errorf(check.ReportInput, "there is no folder of on-premises reports")
		}
		arrived, err := reader.Read(env, env.Reports)
		for i, a := range arrived {
			if a.Host != "" && !MayReport(hosts, a.Host) {
				arrived[i] = Arrived{File: a.File, Stranger: a.Host}
			}
		}
		return arrived, err
	}
}

// MayReport reports whether a host is among the named ones, as each is where none
// is named.
func MayReport(hosts []string, host string) bool {
	return len(hosts) == 0 || slices.ContainsFunc(hosts, func(name string) bool { return SameHost(name, host) })
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
	d.mu.Lock()
	defer d.mu.Unlock()
	files, err := env.ReadDir(folder)
	if err != nil {
		one, _ := d.read(env, folder, maxFolder)
		switch {
		case one.Host != "":
			return []Arrived{one}, nil
		case errors.Is(err, fs.ErrNotExist):
			return nil, check.Errorf(check.ReportInput, "no report has arrived yet, %w: "+
				"docs/onprem-report.md says how Exchange servers send theirs, and `hmad check` and `hmad doctor` want the daemon's --storage.path", err)
		default:
			return nil, check.Errorf(check.ReportInput, "the reports cannot be read: %w", err)
		}
	}
	files = slices.DeleteFunc(files, func(f string) bool { return !strings.HasSuffix(strings.ToLower(f), ".json") })
	if len(files) > MaxFiles {
		return nil, check.Errorf(check.ReportInput, "the folder holds %d reports, want at most %d", len(files), MaxFiles)
	}
	all := d.readAll(env, files)
	maps.DeleteFunc(d.last, func(f string, _ copyOf) bool { return !slices.Contains(files, f) })
	onePerHost(all)
	return all, nil
}

// readAll reads the files: those of up to fairShare bytes first, so that large ones
// cannot take the room of the others, and then the large ones while there is room.
// Which are large shows only when they are read; those that were at the last reading
// wait for their turn, and so each is read once.
func (d *Reader) readAll(env check.Env, files []string) []Arrived {
	all, room := make([]Arrived, len(files)), maxFolder
	var later []int
	for i, f := range files {
		if slices.Contains(d.large, f) {
			later = append(later, i)
			continue
		}
		var size int
		if all[i], size = d.read(env, f, fairShare); size > fairShare {
			later = append(later, i)
		} else {
			room -= size
		}
	}
	d.large = nil
	for _, i := range later {
		var size int
		if all[i], size = d.read(env, files[i], room); size <= room {
			room -= size
		}
		if size > fairShare {
			d.large = append(d.large, files[i])
		}
	}
	return all
}

// fairShare is what every file of a full folder may have, in bytes.
const fairShare = maxFolder / MaxFiles

// read reads one file of at most room bytes, or returns its last good copy with the
// reason; and the file's size, 0 where it could not be read.
func (d *Reader) read(env check.Env, file string, room int) (Arrived, int) {
	a := Arrived{File: path.Base(strings.ReplaceAll(file, `\`, "/"))}
	data, err := env.ReadFile(file, MaxSize)
	if err == nil {
		if len(data) > room {
			err = fmt.Errorf("the reports of the folder are together over %d bytes, and this one of %d bytes finds no room", maxFolder, len(data))
		} else {
			a.Report, err = d.decode(file, data)
		}
	}
	if err != nil {
		a.Report, a.Err = d.last[file].Report, check.Errorf(check.ReportInput, "%s: %w", a.File, err)
	}
	return a, len(data)
}

// decode decodes a file that has changed, and remembers it.
func (d *Reader) decode(file string, data []byte) (Report, error) {
	sum := sha256.Sum256(data)
	if last, ok := d.last[file]; ok && last.sum == sum {
		return last.Report, nil
	}
	r, err := Decode(data)
	if err != nil {
		return Report{}, err
	}
	if d.last == nil {
		d.last = map[string]copyOf{}
	}
	r = r.kept()
	d.last[file] = copyOf{r, sum}
	return r, nil
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
