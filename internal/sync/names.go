package sync

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// keyOfLabels is where the key of hashed labels lies in the target's memory:
// never in the config, so that who reads labels cannot guess addresses.
const keyOfLabels = "sync_label_key"

// unnamed stands for a mailbox in mode none.
const unnamed = "a watched mailbox"

// names words mailboxes as the label mode has it.
type names struct {
	mode string
	key  []byte
}

// newNames makes the key at the first use of mode hash.
func newNames(mode string, memory check.Memory) names {
	n := names{mode: mode}
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
		if memory.Get(keyOfLabels, &text) { // the other check's, if it was quicker
			n.key, _ = hex.DecodeString(text)
		}
	}
	return n
}

// of gives a mailbox's name; empty in mode none.
func (n names) of(address string) string {
	switch n.mode {
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
