package report

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
)

// CollectorVersion is the version of the collector that this hmad ships.
const CollectorVersion = "1.2.0"

// slowSection is how long a section takes that is worth a word.
const slowSection = 30 * time.Second

// Older reports whether version a of the collector is before version b: numbers
// between dots. What is no number counts as 0.
func Older(a, b string) bool { return slices.Compare(numbers(a), numbers(b)) < 0 }

func numbers(version string) []int {
	var all []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		all = append(all, n)
	}
	return all
}

// CollectorAdvice returns what is notable of the run that made the report: a
// collector that is older than the one that this hmad ships, and the slowest
// section where it took over 30 seconds. It is empty where neither is so.
func (r Report) CollectorAdvice() string {
	var say []string
	if Older(r.Collector, CollectorVersion) {
		say = append(say, "its collector is "+check.Line(r.Collector, 40)+", this hmad ships "+CollectorVersion+": copy the script again")
	}
	if name, took := r.slowest(); took > slowSection {
		say = append(say, "its slowest section is "+name+", "+took.Round(time.Second).String()+": try its cmdlet by hand")
	}
	if len(say) == 0 {
		return ""
	}
	return r.Host + ": " + strings.Join(say, "; ")
}

// slowest returns the section that took longest, the first by name of equals.
func (r Report) slowest() (name string, took time.Duration) {
	for _, n := range slices.Sorted(maps.Keys(r.Sections)) {
		if t := r.Sections[n].Took; t > took {
			name, took = n, t
		}
	}
	return name, took
}

// mailboxErrors reads the errors in a section, next to its data:
//
//	"errors": [{"mailbox": "jane@contoso.com", "error": "ManagementObjectNotFoundException 4B953CE"}, …]
//
// What cannot be read is left out.
func mailboxErrors(data json.RawMessage) map[string]string {
	rows, err := powershell.Rows(data)
	if err != nil || len(rows) == 0 {
		return nil
	}
	all := map[string]string{}
	for _, row := range rows[:min(len(rows), maxPartner)] {
		if mailbox, why := row.String("mailbox"), shown(row.String("error")); mailbox != "" && why != "" {
			all[strings.ToLower(mailbox)] = why
		}
	}
	return all
}

// unknownMailbox is Exchange's failure category for a mailbox that it does not know.
const unknownMailbox = "ManagementObjectNotFoundException"

// PartnershipErrors returns why the section of partnerships lacks a mailbox, by
// its address in lower case, and how many mailboxes the collector did not ask.
func (r Report) PartnershipErrors() (errs map[string]string, leftOut int) {
	s := r.Sections[SectionPartnerships]
	return s.Errors, s.LeftOut
}

// IsUnknownMailbox reports whether an error of PartnershipErrors says that Exchange
// does not know the mailbox.
func IsUnknownMailbox(why string) bool { return strings.HasPrefix(why, unknownMailbox) }
