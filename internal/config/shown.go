package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// withheld stands for a value that may hold a secret.
const withheld = "a value that is withheld, because it may hold a secret"

var (
	// wordForm is one word in small letters, in capitals, or with a capital at
	// its beginning, as the words have it that a setting or a key may be.
	wordForm = regexp.MustCompile(`^(\pL\p{Ll}*|\p{Lu}+( KEY)?)([_-]\p{Ll}+)*$`)
	// amountForm is a number or a moment, with a unit or without.
	amountForm = regexp.MustCompile(`^[+-]?[0-9][0-9.:,/T+-]*[ ]?\p{Ll}{0,7}$`)
	// cronForm begins as a schedule does.
	cronForm = regexp.MustCompile(`^([0-9*@,/?-]+ |@[a-z]+( |$)|every )[\pL\pN *,/?@#-]{0,80}$`)
	// endForm is a name with a dot and a last label of letters, as public DNS and
	// Active Directory have them, in any alphabet; it may be in brackets, and
	// have a port.
	endForm = regexp.MustCompile(`^\[?([\pL\pN]([\pL\pN-]{0,61}[\pL\pN])?\.)+\pL{2,24}\]?(:[0-9]{1,5})?$`)
	// schemeForm is one of the schemes that somebody may write.
	schemeForm = regexp.MustCompile(`^(https?|ldaps?|ftp|socks5h?|tcp|udp|dns)$`)
	// foreignLetters are those of a name that DNS has in another form (RFC 5891).
	foreignLetters = regexp.MustCompile(`[^\x00-\x7f]`)
	// nameOfFile is a file without folder, which a password does not look like.
	nameOfFile = regexp.MustCompile(`^[\pL\pN_-]+\.(cer|cert|conf|crt|csv|json|key|pem|token|txt|ya?ml)$`)
	// checkForm is the form of a check's name, which is a key of the file.
	checkForm = regexp.MustCompile(`^[a-z_]{1,40}$`)

	// accountForm is a distinguished name, DOMAIN\name, or a user principal name.
	accountForm = regexp.MustCompile(`^(?:[A-Za-z0-9.]+ *=[^=:@]*)+$|^[\pL\pN._-]+\\[\pL\pN._$-]+$|^[\pL\pN._+-]+@([\pL\pN-]+\.)+\pL+$`)
	// secretForm is what a free text has where somebody typed credentials, a
	// query, a fragment, an address of a mailbox or a token into it.
	secretForm = regexp.MustCompile(`\S@|%[0-9A-Za-z]|\S[?#~]\S|[^\s\d:]:[^\s/]|[\pL\pN_+/]{24,}`)
)

// maxWord is the length of the longest word that is no key and no token.
const maxWord = 40

// Shown returns a value of the file as far as an error may show it. A word or a
// number is shown where its form is no password's; of a URL only scheme and host;
// anything else not at all.
func Shown(text string) string {
	if text == "" || len(text) <= maxWord && (wordForm.MatchString(text) || amountForm.MatchString(text)) {
		return strconv.Quote(text)
	}
	return shownEnd(text)
}

// shownEnd is Shown for the settings of addresses, into which somebody may type a
// password: no word alone is shown.
func shownEnd(text string) string {
	switch {
	case strings.Contains(text, "://"):
		return shownURL(text)
	case text == "" || isEnd(text):
		return strconv.Quote(text)
	default:
		return withheld
	}
}

// shownSchedule is Shown for cron expressions.
func shownSchedule(text string) string {
	if cronForm.MatchString(text) {
		return strconv.Quote(text)
	}
	return Shown(text)
}

func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "@") || !isHost(u.Host) || !schemeForm.MatchString(u.Scheme) {
		return withheld
	}
	return strconv.Quote(u.Scheme + "://" + u.Host)
}

// isEnd reports whether a text is the end of a connection by its form, an address
// or a name with a dot, with or without port. Another text with a colon may be a
// user with a password.
func isEnd(text string) bool {
	_, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return err == nil || isAddrPort(text) || len(text) <= 253 && endForm.MatchString(text)
}

func isAddrPort(text string) bool {
	_, err := netip.ParseAddrPort(text)
	return err == nil
}

// ShownFile returns the name of a file as far as an error may show it. A single
// word may be the secret itself, typed where the name of its file is wanted.
func ShownFile(name string) string {
	for _, begin := range []string{"/", "./", "../", `\\`, `.\`, `..\`} {
		if strings.HasPrefix(name, begin) {
			return name
		}
	}
	if len(name) > 2 && name[1] == ':' && (name[2] == '\\' || name[2] == '/') || nameOfFile.MatchString(name) {
		return name
	}
	return "(a name that is withheld, because it may be the secret itself)"
}

// shownName returns a target's name as far as an error may show it.
func shownName(name string) string {
	if !nameForm.MatchString(name) {
		return "(name withheld)"
	}
	return name
}

// ShownCheck returns the path of a check's settings below the target.
func ShownCheck(name string) string {
	if !checkForm.MatchString(name) {
		return "checks"
	}
	return "checks." + name
}

// ShownAccount returns the name of an account, or the place of an object in the
// directory, as far as it may be shown.
func ShownAccount(text string) string {
	if text == "" || accountForm.MatchString(text) {
		return text
	}
	return hiddenText
}

// ShownText returns a free text as far as it may be shown: not where somebody
// has typed a secret into it.
func ShownText(text string) string {
	if secretForm.MatchString(text) {
		return hiddenText
	}
	return text
}

const hiddenText = "(a text that is withheld, because it may hold a secret)"

// shownAs says how config show shows a setting that takes any text.
func shownAs(key string) func(string) string {
	switch {
	case strings.HasSuffix(key, "_file") || key == "file":
		return ShownFile
	case strings.HasSuffix(key, "_dn"):
		return ShownAccount
	case key == "note" || key == "user_agent":
		return ShownText
	default:
		return nil
	}
}

// hideSecrets replaces what may be a secret.
func hideSecrets(n *yaml.Node) {
	for i, child := range n.Content {
		hideSecrets(child)
		if n.Kind != yaml.MappingNode || i%2 == 0 || child.Kind != yaml.ScalarNode || child.Value == "" {
			continue
		}
		if shown := shownAs(n.Content[i-1].Value); shown != nil {
			child.SetString(shown(child.Value))
		}
	}
}
