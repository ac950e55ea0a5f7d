package lab

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

// vantageFaults are those of hmad's own way out.
func vantageFaults() []fault {
	return []fault{
		{"vantage", "vantage.vantage_offline", "The way out is shut: Microsoft Entra refuses connections.",
			func(b *behaviour) { b.refuse = true }},
		{"vantage", "vantage.clock_skew", "The clocks disagree: Entra's Date header is ten minutes ahead.",
			func(b *behaviour) { b.skew = 10 * time.Minute }},
	}
}

// transportFaults are those of any host of the customer's, below HTTP and in
// its framing. They concern all of the host's front ends alike.
func transportFaults(check string) []fault {
	return []fault{
		{check, check + ".dns_failed", "DNS does not know the host's name (NXDOMAIN).",
			func(b *behaviour) { b.unknown = true }},
		{check, check + ".connect_failed", "Nothing listens: every front end refuses TCP connections.",
			func(b *behaviour) { b.refuse = true }},
		{check, check + ".tls_failed", "The connection ends during the TLS handshake, as behind a firewall with a list of source addresses.",
			func(b *behaviour) { b.hangUp = true }},
		{check, check + ".certificate_untrusted", "The certificate is self-signed, as Exchange's set-up makes it.",
			func(b *behaviour) { b.shown |= SelfSigned }},
		{check, check + ".certificate_chain_incomplete", "The server sends its certificate without the intermediate one.",
			func(b *behaviour) { b.shown |= Incomplete }},
		{check, check + ".certificate_name_mismatch", "The certificate is for another name, webmail.contoso.test.",
			func(b *behaviour) { b.shown |= WrongName }},
		{check, check + ".certificate_expired", "The certificate expired a day ago.",
			func(b *behaviour) { b.shown |= Expired }},
		{check, check + ".certificate_expiring", "The certificate expires in ten days.",
			func(b *behaviour) { b.shown |= Expiring }},
		{check, check + ".certificate_expiring_soon", "The certificate expires in two days.",
			func(b *behaviour) { b.shown |= ExpiringSoon }},
		{check, check + ".timeout", "The request is taken and never answered, as by a hung application pool.",
			func(b *behaviour) { b.answer = silence }},
		{check, check + ".response_invalid", "The answer is not HTTP: its status is no number.",
			func(b *behaviour) { b.answer = garble }},
		{check, "oversized_body." + check, "The answer's body is larger than hmad reads (512 KiB; response_invalid).",
			func(b *behaviour) { b.answer = oversize }},
	}
}

// silence holds the request, for a minute at most or until the client goes.
func silence(_ http.ResponseWriter, r *http.Request) {
	ctx, stop := context.WithTimeout(r.Context(), time.Minute)
	defer stop()
	<-ctx.Done()
	panic(http.ErrAbortHandler) // returning would answer 200
}

// garble writes a status line with a letter O for the nought.
func garble(w http.ResponseWriter, _ *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = c.Write([]byte("HTTP/1.1 4O1 Unauthorized\r\nContent-Length: 0\r\n\r\n"))
	_ = c.Close() // the client may have gone
}

func oversize(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(bytes.Repeat([]byte("x"), 512<<10)) // the client stops reading earlier
}
