package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// row is one row to write; a nil value deletes it.
type row struct {
	key
	value []byte
}

// seal puts the checksum before a value. It covers the key too, so that a
// value under a wrong key is known.
func seal(k key, value []byte) []byte {
	sealed := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(value)), sum(k, value))
	return append(sealed, value...)
}

// unseal gives the value, and false when its checksum is wrong.
func unseal(k key, sealed []byte) ([]byte, bool) {
	if len(sealed) < 4 {
		return nil, false
	}
	return sealed[4:], binary.LittleEndian.Uint32(sealed) == sum(k, sealed[4:])
}

func sum(k key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	crc := crc32.Update(0, table, []byte(k.bucket+"\x00"+k.name))
	return crc32.Update(crc, table, value)
}

// load gives every row that can be trusted to take. Damage leaves it with those
// beside it; a newer file's rows are not to be used.
func (f *file) load(take func(k key, value []byte)) error {
	version, rows := 0, 0
	var bad error
	err := f.guard(func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			return walk(tx, f.os, f.db.Info().PageSize, func(k key, sealed []byte) {
				rows++
				value, ok := unseal(k, sealed)
				switch {
				case !ok:
					bad = damagef("%v: its checksum is wrong", k)
				case k == schemaKey:
					_ = json.Unmarshal(value, &version)
				default:
					take(k, value)
				}
			})
		})
	})
	if version > schema {
		return errNewer
	}
	if rows > 0 && version == 0 {
		bad = damagef("it has no schema")
	}
	return cmp.Or(err, bad)
}

// each calls f for every row of every bucket.
func each(tx *bbolt.Tx, f func(key, []byte)) error {
	return tx.ForEach(func(bucket []byte, b *bbolt.Bucket) error {
		return b.ForEach(func(name, value []byte) error {
			f(key{string(bucket), string(name)}, value)
			return nil
		})
	})
}

// put writes rows in one transaction: all of them or none.
func (f *file) put(rows []row) error {
	return f.guard(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			for _, r := range rows {
				if err := putRow(tx, r); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func putRow(tx *bbolt.Tx, r row) error {
	b, err := tx.CreateBucketIfNotExists([]byte(r.bucket))
	if errors.Is(err, berrors.ErrIncompatibleValue) {
		return damage{error: err}
	}
	if err != nil {
		return err
	}
	name := []byte(r.name)
	if r.value == nil {
		return b.Delete(name)
	}
	if sealed := seal(r.key, r.value); !bytes.Equal(b.Get(name), sealed) {
		return b.Put(name, sealed)
	}
	return nil
}

// strangers gives a deleting row for each one of the file that must not be in
// it, its schema apart.
func (f *file) strangers(known func(key) bool) (gone []row, err error) {
	err = f.guard(func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			return each(tx, func(k key, _ []byte) {
				if k != schemaKey && !known(k) {
					gone = append(gone, row{key: k})
				}
			})
		})
	})
	return gone, err
}
