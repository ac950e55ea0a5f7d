package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/report"
)

// columns are those of the front end's log of Exchange 2016, as far as they are read,
// and one between.
var columns = []string{"DateTime", "RequestId", "AuthenticationType", "AuthenticatedUser", "UserAgent", "HttpStatus", "UrlQuery"}

// entry is a line of the front end's log.
type entry struct {
	ago        time.Duration
	how, agent string
	status     int
	query      string
}

// cloud is a good request of the cloud's own client.
func cloud(ago time.Duration) entry {
	return entry{ago: ago, how: "Bearer", agent: "OutlookService", status: 200, query: "?Cmd=Sync&DeviceType=OutlookService"}
}

// written returns a log's text.
func written(columns []string, entries ...entry) string {
	var b strings.Builder
	b.WriteString("#Software: Microsoft Exchange Server\r\n#Log-type: HttpProxy Logs\r\n#Fields: " + strings.Join(columns, ",") + "\r\n")
	b.WriteString(strings.Join(columns, ",") + "\r\n") // as Exchange 2016 repeats them
	for _, e := range entries {
		value := map[string]string{"DateTime": time.Now().Add(-e.ago).UTC().Format("2006-01-02T15:04:05.000Z"), "RequestId": `"a, ""b"""`,
			"AuthenticationType": e.how, "AuthenticatedUser": `CONTOSO\jane`, "UserAgent": e.agent, "HttpStatus": fmt.Sprint(e.status), "UrlQuery": e.query}
		var fields []string
		for _, c := range columns {
			fields = append(fields, value[c])
		}
		b.WriteString(strings.Join(fields, ",") + "\r\n")
	}
	return b.String()
}

// logFile is a log in the folder: the first is the oldest.
type logFile struct {
	text  string
	bad   bool          // it cannot be opened
	begun time.Duration // how long ago; zero: now
}

// lay replaces the bed's logs.
func (b bed) lay(t *testing.T, files ...logFile) {
	t.Helper()
	require.NoError(t, os.RemoveAll(b.eas()))
	require.NoError(t, os.MkdirAll(b.eas(), 0o700))
	for i, f := range files {
		name := filepath.Join(b.eas(), fmt.Sprintf("HttpProxy_2026113009-%d.LOG", i+1))
		if f.bad { // root may read every file, but no folder as one
			require.NoError(t, os.Mkdir(name, 0o700))
		} else {
			require.NoError(t, os.WriteFile(name, []byte(f.text), 0o600))
		}
		begun := time.Now().Add(time.Duration(i-len(files))*time.Second - f.begun)
		require.NoError(t, os.WriteFile(name+".created", []byte(begun.Format(time.RFC3339Nano)), 0o600))
	}
}

func TestFrontEndLogs(t *testing.T) {
	good := logFile{text: written(columns, cloud(50*time.Minute), cloud(40*time.Minute), cloud(5*time.Minute))}
	for name, c := range map[string]struct {
		files   []logFile
		env     []string
		args    []string
		count   int // requests of the cloud; -1: the section is not ok
		without int
		how     map[string]int
		fails   string
		partial bool // not the whole hour is counted
	}{
		"all is counted":                    {files: []logFile{good}, count: 3, how: map[string]int{"Bearer": 3}},
		"the newest is empty":               {files: []logFile{good, {}}, count: 3, how: map[string]int{"Bearer": 3}},
		"the newest's head is half written": {files: []logFile{good, {text: "#Software: Microsoft Exchange Server\r\n#Fields: DateTime,RequestI"}}, count: 3, how: map[string]int{"Bearer": 3}},
		"the newest has begun":              {files: []logFile{good, {text: written(columns, cloud(2*time.Minute))}}, count: 4, how: map[string]int{"Bearer": 4}},
		"no log can be read":                {files: []logFile{{bad: true}, {bad: true}}, count: -1, fails: "No log of the last 60 minutes can be read: HttpProxy_2026113009-1.LOG: "},
		"a log without a head, and with lines": {files: []logFile{{text: "2026-11-30T09:15:00.000Z,7b,Bearer,x,OutlookService,200,\r\n"}}, count: -1,
			fails: "No line #Fields at the head of the log"},
		"there is no log": {files: nil, count: -1, fails: "No log in "},
		"the limit cuts":  {files: []logFile{{text: written(columns, many(cloud(30*time.Minute), 20000)...) + lines(cloud(4*time.Minute), cloud(3*time.Minute))}}, args: []string{"-LogMegabytes", "1"}, count: 1, partial: true},
		"with and without HMA": {files: []logFile{{text: written(columns, cloud(9*time.Minute),
			entry{ago: 8 * time.Minute, how: "Basic", agent: "Outlook-iOS-Android/1.0", status: 200, query: "?DeviceType=Outlook"},
			entry{ago: 7 * time.Minute, how: "Basic", agent: "OutlookService", status: 200},
			entry{ago: 7 * time.Minute, how: "Bearer", agent: "Outlook-iOS-Android/1.0", status: 200},
			entry{ago: 6 * time.Minute, agent: "", status: 401, query: "?Cmd=Ping&DeviceType=OutlookService"},
			entry{ago: 5 * time.Minute, how: "Basic", agent: "Apple-iPhone14C2/2101", status: 200, query: "?DeviceType=iPhone"})}},
			count: 3, without: 2, how: map[string]int{"Bearer": 2, "Basic": 2, "none": 1}},
		"no column of the authentication": {files: []logFile{{text: written([]string{"DateTime", "UserAgent", "HttpStatus"}, cloud(9*time.Minute),
			entry{ago: 8 * time.Minute, agent: "Outlook-iOS-Android/1.0", status: 200})}}, count: 1, without: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.lay(t, c.files...)
			o := b.run(t, "no-session", c.env, c.args...)
			require.Zero(t, o.status, o.complaints)
			s := o.sections(t)["frontEndRequests"]
			if c.count < 0 {
				assert.False(t, s.OK)
				assert.Contains(t, s.Error, c.fails)
				return
			}
			f := frontEnd(t, o)
			if !c.partial {
				assert.Equal(t, c.count, f.total)
				assert.InDelta(t, 60, f.Until.Sub(f.Since).Minutes(), 0.1)
			}
			assert.Equal(t, c.partial, f.Until.Sub(f.Since) < 59*time.Minute)
			assert.Equal(t, c.without, f.WithoutHMA)
			if c.how != nil || !c.partial {
				assert.Equal(t, c.how, f.Authentication)
			}
			assert.NotContains(t, string(o.data), "jane")
		})
	}
}

// counts is the section as hmad reads it, and the sum of its counts.
type counts struct {
	report.FrontEndRequests
	total int
}

func frontEnd(t *testing.T, o outcome) counts {
	t.Helper()
	r, err := report.Decode(o.data)
	require.NoError(t, err)
	f, err := r.FrontEndRequests()
	require.NoError(t, err)
	c := counts{FrontEndRequests: f}
	for _, n := range f.Counts {
		c.total += n.Count
	}
	return c
}

func many(e entry, n int) []entry {
	all := make([]entry, n)
	for i := range all {
		all[i] = e
	}
	return all
}

// lines returns entries without a head.
func lines(entries ...entry) string {
	_, rest, _ := strings.Cut(written(columns, entries...), strings.Join(columns, ",")+"\r\n"+strings.Join(columns, ",")+"\r\n")
	return rest
}

// What cannot be read must not look like silence: the time that is counted ends
// where an unreadable newest log begins, and begins behind an older one.
func TestAnUnreadableLogIsNoSilence(t *testing.T) {
	for name, c := range map[string]struct {
		files        []logFile
		since, until time.Duration // ago
		count        int
	}{
		"the newest": {[]logFile{{text: written(columns, cloud(50*time.Minute), cloud(30*time.Minute)), begun: 55 * time.Minute}, {bad: true, begun: 20 * time.Minute}},
			61 * time.Minute, 20 * time.Minute, 2},
		"the two newest": {[]logFile{{text: written(columns, cloud(50*time.Minute)), begun: 55 * time.Minute}, {bad: true, begun: 40 * time.Minute}, {bad: true, begun: 20 * time.Minute}},
			61 * time.Minute, 40 * time.Minute, 1},
		"an older one": {[]logFile{{bad: true, begun: 55 * time.Minute}, {text: written(columns, cloud(10*time.Minute)), begun: 20 * time.Minute}},
			20 * time.Minute, time.Minute, 1},
		"the one between": {[]logFile{{text: written(columns, cloud(50*time.Minute)), begun: 55 * time.Minute}, {bad: true, begun: 40 * time.Minute},
			{text: written(columns, cloud(10*time.Minute)), begun: 20 * time.Minute}}, 20 * time.Minute, time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.lay(t, c.files...)
			laid := time.Now()
			f := frontEnd(t, b.run(t, "no-session", nil))
			within := time.Since(laid) + 5*time.Second
			assert.WithinDuration(t, laid.Add(-c.since), f.Since, within)
			assert.WithinDuration(t, laid.Add(-c.until), f.Until, within)
			assert.Equal(t, c.count, f.total)
		})
	}
}

// Logs of real servers, with their times moved to now.
func TestLogsOfRealServersAreRead(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/eas-front-end.LOG")
	require.NoError(t, err)
	text := string(data)
	for i, at := range []string{"2023-01-11T16:06:06.997Z", "2023-01-11T16:07:10.120Z", "2023-01-11T16:08:12.004Z"} {
		require.Contains(t, text, at)
		text = strings.ReplaceAll(text, at, time.Now().Add(time.Duration(i-20)*time.Minute).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	b := newBed(t)
	b.lay(t, logFile{text: text})
	f := frontEnd(t, b.run(t, "no-session", nil))
	assert.Equal(t, 1, f.WithoutHMA, "Basic, by Outlook-iOS-Android")
	assert.Equal(t, map[string]int{"Basic": 1, "Bearer": 1, "none": 1}, f.Authentication)
	assert.Equal(t, 2, f.total, "one that is challenged, one with a token")
}
