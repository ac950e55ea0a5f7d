package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/config"
)

// What an error shows of a value: whole, of a URL scheme and host, or nothing.
func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"inside": `"inside"`, "Internal": `"Internal"`, "CRITICAL": `"CRITICAL"`, "PRIVATE KEY": `"PRIVATE KEY"`, "mailbox_sync": `"mailbox_sync"`, "": `""`,
		"20": `"20"`, "5 minutes": `"5 minutes"`, "-1.5": `"-1.5"`, "2027-3-1": `"2027-3-1"`, "30.11.2026": `"30.11.2026"`,
		"contoso.onmicrosoft.com": `"contoso.onmicrosoft.com"`, "mail.contoso.com:443": `"mail.contoso.com:443"`, "münchen.contoso.com": `"münchen.contoso.com"`,
		"10.0.0.53": `"10.0.0.53"`, "[::1]:0": `"[::1]:0"`, "http://mail.contoso.com/x?y=z#a": `"http://mail.contoso.com"`,
		"hunter2": "", "Passw0rd": "", "hUnter": "", "correct horse battery staple": "", "svc:swordfish": "", "svc:1234": "", "swordfish!": "",
		"swordfish://x": "", "https://svc:swordfish@proxy": "", "https://proxy%zz": "", "contoso\\svc": "", "a\nb": "",
		"eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln": "", strings.Repeat("a", 41): "", "S3cret8Q~Hk2.vT9_": "", "2222222222222222222a~": "",
	} {
		if want == "" {
			assert.Contains(t, config.Shown(text), "withheld", text)
			continue
		}
		assert.Equal(t, want, config.Shown(text), text)
	}
}

func FuzzShown(f *testing.F) {
	for _, text := range []string{"inside", "10.0.0.53:53", "https://mail.contoso.com/?a#b", "http://svc:x%zz@proxy", "5 minutes", "hunter2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shown := config.Shown(text)
		if strings.ContainsAny(shown, "@?#%~!$&=;'<>|\n\\") || len(shown) > 300 {
			t.Errorf("%q is shown as %s", text, shown)
		}
		inner := strings.Trim(shown, `"`)
		if inner == shown { // withheld
			return
		}
		if !strings.HasPrefix(strings.ToLower(text), strings.ToLower(inner)) {
			t.Errorf("%q is shown as another text, %s", text, shown)
		}
	})
}
