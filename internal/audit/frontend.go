package audit

import (
	"fmt"
	"math"
	"strings"

	"github.com/hmad/hmad/internal/report"
)

// anyRequestLength is ASP.NET's largest maxRequestLength, in KB.
const anyRequestLength = math.MaxInt32

// judgeRequestLength: ActiveSync must take what transport takes (the guide,
// «Enable hybrid Modern Authentication», step 4). web.config counts in KB,
// transport in bytes.
func judgeRequestLength(e estate) answer {
	transport, err := report.Newest(e.Evidence, report.Needing(report.Report.TransportConfig, "maxReceiveSize", "maxSendSize"))
	if err != nil {
		return open(err)
	}
	need, why := neededLength(transport)
	a := onEveryHost(e, report.Needing(report.Report.WebConfig, "maxRequestLength"), func(w report.WebConfig) (string, bool) {
		return fmt.Sprintf("%d KB", w.MaxRequestLength), w.MaxRequestLength >= need
	})
	if a.err == nil {
		a.seen += ", where " + why
	}
	return a
}

// neededLength returns the least maxRequestLength in KB, and why.
func neededLength(t report.TransportConfig) (int, string) {
	size, name := t.MaxReceiveSize, "MaxReceiveSize"
	if !size.Unlimited && (t.MaxSendSize.Unlimited || t.MaxSendSize.Bytes > size.Bytes) {
		size, name = t.MaxSendSize, "MaxSendSize"
	}
	if size.Unlimited {
		return anyRequestLength, name + " is Unlimited"
	}
	kb := (size.Bytes + 1023) / 1024
	return int(min(kb, anyRequestLength)), fmt.Sprintf("%s is %d KB", name, kb)
}

// judgeOffloading: the front-end directory must insist on TLS. One that lets
// plain HTTP in is how TLS offloading is set up (domain notes, section 7).
func judgeOffloading(e estate) answer {
	return onEveryHost(e, report.Report.IIS, func(i report.IIS) (string, bool) {
		return "sslFlags " + strings.Join(i.SSLFlags, "+"), i.RequiresTLS()
	})
}

// judgeClientCertificate: the front-end directory may ask for a client certificate
// but must not require one, because Exchange Online has none to show (sslFlags,
// learn.microsoft.com/iis/configuration/system.webserver/security/access).
func judgeClientCertificate(e estate) answer {
	return onEveryHost(e, report.Report.IIS, func(i report.IIS) (string, bool) {
		flags := "sslFlags " + strings.Join(i.SSLFlags, "+")
		switch {
		case i.RequiresClientCertificate():
			return flags + " require a client certificate", false
		case i.AsksForClientCertificate():
			return flags + " ask for a client certificate, and take its absence", true
		default:
			return flags, true
		}
	})
}
