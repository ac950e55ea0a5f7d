package state

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/url"
	"strconv"
)

// The state file is text, one change per line:
//
//	CHECKSUM TABLE TARGET NAME KEY VALUE
//
// CHECKSUM is the CRC-32C of all that follows it and a space, as eight hex
// digits. TARGET, NAME and KEY are escaped as a URL's path is, so that a space
// and the end of the line separate, and nothing else. A line without VALUE
// deletes. Where two lines have the same key, the later one counts. A line
// depends on no other: damage costs the lines that it hits.
//
// The file begins with a snapshot: a header with the version of this form, one
// line for each key, and a mark at its end. All behind the mark came later.
const (
	schema       = 1
	header       = "hmad state " // and the schema
	snapshotMark = "end of snapshot"

	sumSize = 8 // hex digits
	maxLine = maxValue + 64<<10
)

// The tables of the file.
const (
	runTable   = "run"   // NAME is the check, KEY the run's number, VALUE a storedResult
	valueTable = "value" // NAME is that of a value in the target's memory, KEY is empty
	factTable  = "fact"  // NAME is the check, KEY is empty, VALUE a list of storedFact
	fleetTable = "fleet" // NAME is the fleet, KEY the member, VALUE its record in Ascii85
)

var errNewer = errors.New("written by a newer version of hmad")

// key is what a line is about.
type key struct{ table, target, name, member string }

// String returns what may be logged of a key: a member may be a mailbox.
func (k key) String() string { return fmt.Sprintf("%s %s of target %s", k.table, k.name, k.target) }

// appendLine appends the line that says that k has this value; nil: none any
// more.
func appendLine(b []byte, k key, value []byte) []byte {
	start := len(b)
	b = append(b, "........ "...)
	b = append(b, k.table...)
	for _, field := range [...]string{k.target, k.name, k.member} {
		b = append(append(b, ' '), url.PathEscape(field)...)
	}
	if value != nil {
		b = append(append(b, ' '), value...)
	}
	return seal(b, start)
}

// appendMark appends a line of the file's own.
func appendMark(b []byte, text string) []byte {
	return seal(append(append(b, "........ "...), text...), len(b))
}

// seal ends the line that begins at start and fills in its checksum.
func seal(b []byte, start int) []byte {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], checksum(b[start+sumSize+1:]))
	hex.Encode(b[start:], sum[:])
	return append(b, '\n')
}

func checksum(text []byte) uint32 { return crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)) }

// unseal returns the text of a line without its end, and whether it is all of
// the line. Damage to the end of a line joins it to the next one, which is
// sound: that one is found. Nothing sound in the line: nil.
func unseal(line []byte) (text []byte, all bool) {
	for i := sumSize; i < len(line); i++ {
		if line[i] != ' ' {
			continue
		}
		text := line[i+1:]
		sum, err := strconv.ParseUint(string(line[i-sumSize:i]), 16, 32)
		if err == nil && uint32(sum) == checksum(text) {
			return text, i == sumSize
		}
	}
	return nil, false
}

// parseLine reads the text of a line that is a change. The value is a part of
// the text.
func parseLine(text []byte) (k key, value []byte, err error) {
	more := true
	for _, to := range []*string{&k.table, &k.target, &k.name, &k.member} {
		if !more {
			return key{}, nil, errors.New("too few fields")
		}
		var field []byte
		field, text, more = bytes.Cut(text, []byte(" "))
		if *to, err = url.PathUnescape(string(field)); err != nil {
			return key{}, nil, err
		}
	}
	if more {
		value = text
	}
	return k, value, nil
}

// account is what the reading of a file found in addition to the changes.
type account struct {
	sound, damaged int   // lines
	base           int64 // bytes up to the end of the snapshot; 0: no mark was found
	end            int64 // bytes up to the end of the last line; what follows was being written when the writer died
	size           int64 // bytes
}

// readJournal reads a file and passes its changes to take, in order; take must
// not keep a value. It stops with errNewer at the header of a newer form.
func readJournal(r io.Reader, take func(k key, value []byte)) (a account, err error) {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		a.size += int64(len(line))
		if err == io.EOF {
			return a, nil
		}
		if err != nil && err != bufio.ErrBufferFull { // too long: each part of it is damaged
			return a, err
		}
		a.end = a.size
		if err := a.line(line[:len(line)-1], take); err != nil {
			return a, err
		}
	}
}

// line judges one line.
func (a *account) line(line []byte, take func(k key, value []byte)) error {
	text, all := unseal(line)
	if !all {
		a.damaged++
	}
	if text == nil {
		return nil
	}
	a.sound++
	if version, ok := bytes.CutPrefix(text, []byte(header)); ok {
		if n, err := strconv.Atoi(string(version)); err != nil || n > schema {
			return errNewer
		}
		return nil
	}
	if string(text) == snapshotMark {
		a.base = a.end
		return nil
	}
	k, value, err := parseLine(text)
	if err != nil {
		a.damaged++
		return nil
	}
	take(k, value)
	return nil
}
