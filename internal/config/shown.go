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
	// plainForm is a text that is no secret by its form: words of letters and
	// digits, numbers, names of hosts and their like.
	plainForm = regexp.MustCompile(`^[\pL\pN \n_.,:/*+()\[\]-]{0,100}$`)
	// foreignLetters are those of a name that DNS has in another form (RFC 5891).
	foreignLetters = regexp.MustCompile(`[^\x00-\x7f]`)
	// keyForm is a word as long as a key or a token has it.
	keyForm = regexp.MustCompile(`[\pL\pN_+/]{24,}`)
	// nameOfFile is a file without folder, which a password does not look like.
	nameOfFile = regexp.MustCompile(`^[\pL\pN_-]+\.(cer|cert|conf|crt|csv|json|key|pem|token|txt|ya?ml)$`)
	// checkForm is the form of a check's name, which is a key of the file.
	checkForm = regexp.MustCompile(`^[A-Za-z_]{1,40}$`)
)

// Shown returns a value of the file as far as an error may show it: of a URL its
// scheme and host, of anything else all or nothing.
func Shown(text string) string {
	if strings.Contains(text, "://") {
		return shownURL(text)
	}
	if !plainForm.MatchString(text) || keyForm.MatchString(text) || strings.Contains(text, ":") && !isEnd(text) {
		return withheld
	}
	return strconv.Quote(text)
}

func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "@") || !isHost(u.Host) || strings.Contains(u.Scheme, ".") {
		return withheld
	}
	return strconv.Quote(u.Scheme + "://" + u.Host)
}

// isEnd reports whether a text is the end of a connection, a name or an address
// with or without port. Another text with a colon may be a user with a password.
func isEnd(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil || isHost(text) || isAddrPort(text)
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

// hideNames replaces the names of files that may be secrets.
func hideNames(n *yaml.Node) {
	for i, child := range n.Content {
		named := n.Kind == yaml.MappingNode && i%2 == 1 && strings.HasSuffix(n.Content[i-1].Value, "_file")
		if named && child.Kind == yaml.ScalarNode && child.Value != "" {
			child.SetString(ShownFile(child.Value))
		}
		hideNames(child)
	}
}
