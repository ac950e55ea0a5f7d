package check_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"Get-X failed: Authorization: Bearer planted-opaque~1":                                  "Get-X failed: Authorization: Bearer (token)",
		"with Basic cGxhbnRlZDpwbGFudGVk and NTLM TlRMTVNTUAABAAAAB4":                           "with Basic (token) and NTLM (token)",
		"Basic authentication is off":                                                           "Basic authentication is off",
		"got AbCdEfGhIjKlMnOp12.QrStUvWxYz0123456789.planted-signature-x":                       "got (token)",
		"https://mail.contoso.com/Microsoft-Server-ActiveSync?User=planted&DeviceId=1 gave 500": "https://mail.contoso.com/Microsoft-Server-ActiveSync?(query) gave 500",
		"GET /owa/?code=planted#x, then /signin#access_token=planted":                           "GET /owa/?(query) then /signin?(query)",
		"mailbox <planted@contoso.com>, planted%40contoso.com, planted@m\u00fcnchen.example":    "mailbox <(address)>, (address), (address)",
		"Why? Is it off?": "Why? Is it off?",
	} {
		assert.Equal(t, want, check.Redact(text))
	}
	assert.Equal(t, "got client_secret (secret)", check.Redact("got client_secret planted", "planted", ""))
}
