package check

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/hmad/hmad/internal/config"
)

// keyOfLabels is the key, in the target's memory, of the secret for hashed labels.
// With a secret that no config holds, addresses cannot be guessed from labels.
const keyOfLabels = "sync_label_key"

// UnnamedMailbox stands for a mailbox in mode none.
const UnnamedMailbox = "a watched mailbox"

// MailboxNames are the names of mailboxes by the label mode. Without NewMailboxNames
// those of mode hash have no secret: nobody may see them.
type MailboxNames struct {
	Mode string
	key  []byte
}

// NewMailboxNames returns the names of a label mode. The first use of mode hash
// makes the secret.
func NewMailboxNames(mode string, memory Memory) MailboxNames {
	n := MailboxNames{Mode: mode}
	if mode != config.LabelHash {
		return n
	}
	var text string
	if memory.Get(keyOfLabels, &text) {
		n.key, _ = hex.DecodeString(text)
	}
	if len(n.key) != sha256.Size {
		n.key = make([]byte, sha256.Size)
		rand.Read(n.key) // never fails
		memory.Put(keyOfLabels, hex.EncodeToString(n.key))
		if memory.Get(keyOfLabels, &text) { // the other check's secret, if that was first
			n.key, _ = hex.DecodeString(text)
		}
	}
	return n
}

// Of returns a mailbox's name; empty in mode none.
func (n MailboxNames) Of(address string) string {
	switch n.Mode {
	case config.LabelHash:
		mac := hmac.New(sha256.New, n.key)
		mac.Write([]byte(address))
		return hex.EncodeToString(mac.Sum(nil)[:12])
	case config.LabelNone:
		return ""
	default:
		return address
	}
}
