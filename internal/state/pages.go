package state

import (
	"bytes"
	"encoding/binary"
	"io"

	"go.etcd.io/bbolt"
)

// bbolt trusts its pages. Damage that makes it panic or fault can be caught,
// but a branch page that leads back to itself makes it loop until memory ends,
// which nothing catches: every start would die of it. So the tree is walked
// once, before bbolt follows it, as bbolt's own checker would (which is itself
// caught by such loops). The layout is that of bbolt's internal/common, file
// format 2, in the byte order of the machine.
const (
	pageHeader   = 16 // id u64, flags u16, count u16, overflow u32
	elementSize  = 16 // branch: pos, ksize u32, child u64; leaf: flags, pos, ksize, vsize u32
	bucketHeader = 16 // root u64, sequence u64
	branchPage   = 0x01
	leafPage     = 0x02
	bucketLeaf   = 0x01
	maxDepth     = 64
)

var order = binary.NativeEndian

// walker reads the pages of one transaction.
type walker struct {
	tx       *bbolt.Tx
	file     io.ReaderAt
	pageSize int
	end      uint64 // the first page that is not in use
	seen     map[uint64]bool
}

// sound says whether the file's tree can be followed safely: every page is
// reached once, is not in the free list, lies within the file and holds its
// elements; keys ascend.
func sound(tx *bbolt.Tx, file io.ReaderAt, pageSize int) error {
	w := &walker{tx, file, pageSize, uint64(tx.Size()) / uint64(pageSize), map[uint64]bool{}}
	return w.walk(uint64(tx.Cursor().Bucket().Root()), nil, nil, 0)
}

// walk judges the subtree of page id, of which the keys are from lo up to, not
// including, hi; nil: no limit.
func (w *walker) walk(id uint64, lo, hi []byte, depth int) error {
	page, err := w.read(id)
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return damagef("page %d: the tree is too deep", id)
	}
	p, err := elements(page)
	if err != nil {
		return damagef("page %d: %w", id, err)
	}
	if err := ascending(p, lo, hi); err != nil {
		return damagef("page %d: %w", id, err)
	}
	for i, e := range p {
		upper := hi
		if i+1 < len(p) {
			upper = p[i+1].key
		}
		if err := w.follow(e, upper, depth); err != nil {
			return err
		}
	}
	return nil
}

// follow walks what an element leads to: a child page, or a bucket.
func (w *walker) follow(e element, hi []byte, depth int) error {
	switch {
	case e.child != 0:
		return w.walk(e.child, e.key, hi, depth+1)
	case !e.bucket:
		return nil
	case len(e.value) < bucketHeader:
		return damagef("bucket %q is cut off", e.key)
	}
	if root := order.Uint64(e.value); root != 0 {
		return w.walk(root, nil, nil, depth+1)
	}
	return inline(e)
}

// inline judges a bucket that is small enough to lie in its parent's page.
func inline(e element) error {
	p, err := elements(e.value[bucketHeader:])
	if err == nil {
		err = ascending(p, nil, nil)
	}
	for _, x := range p {
		if x.bucket || x.child != 0 {
			err = damagef("more than keys and values")
		}
	}
	if err != nil {
		return damagef("bucket %q: %w", e.key, err)
	}
	return nil
}

// read gives a page with its overflow, once.
func (w *walker) read(id uint64) ([]byte, error) {
	header := make([]byte, pageHeader)
	if id < 2 || id >= w.end {
		return nil, damagef("page %d is outside of the file", id)
	}
	if _, err := w.file.ReadAt(header, int64(id)*int64(w.pageSize)); err != nil {
		return nil, damagef("page %d: %w", id, err)
	}
	pages := uint64(order.Uint32(header[12:])) + 1
	if order.Uint64(header) != id || id+pages > w.end {
		return nil, damagef("page %d: its header is wrong", id)
	}
	for i := id; i < id+pages; i++ {
		if info, err := w.tx.Page(int(i)); w.seen[i] || err != nil || info.Type == "free" {
			return nil, damagef("page %d is used twice", i)
		}
		w.seen[i] = true
	}
	page := make([]byte, pages*uint64(w.pageSize))
	if _, err := w.file.ReadAt(page, int64(id)*int64(w.pageSize)); err != nil {
		return nil, damagef("page %d: %w", id, err)
	}
	return page, nil
}

// element is a branch page's key and child, or a leaf page's key and value.
type element struct {
	key, value []byte
	child      uint64
	bucket     bool
}

// elements reads those of a page.
func elements(page []byte) ([]element, error) {
	if len(page) < pageHeader {
		return nil, damagef("it is cut off")
	}
	flags, count := order.Uint16(page[8:]), int(order.Uint16(page[10:]))
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 {
		return nil, damagef("its header is wrong")
	}
	if pageHeader+count*elementSize > len(page) {
		return nil, damagef("it has too many elements")
	}
	all := make([]element, count)
	for i := range all {
		var ok bool
		if all[i], ok = elementAt(page[pageHeader+i*elementSize:], flags); !ok {
			return nil, damagef("element %d lies outside of it", i)
		}
	}
	return all, nil
}

// elementAt reads the element at the beginning of b.
func elementAt(b []byte, flags uint16) (element, bool) {
	pos, ksize, vsize := uint64(order.Uint32(b)), uint64(order.Uint32(b[4:])), uint64(0)
	e := element{}
	if flags == branchPage {
		e.child = order.Uint64(b[8:])
		if e.child == 0 {
			return e, false
		}
	} else {
		e.bucket = order.Uint32(b)&bucketLeaf != 0
		pos, ksize, vsize = uint64(order.Uint32(b[4:])), uint64(order.Uint32(b[8:])), uint64(order.Uint32(b[12:]))
	}
	if pos+ksize+vsize > uint64(len(b)) {
		return e, false
	}
	e.key, e.value = b[pos:pos+ksize], b[pos+ksize:pos+ksize+vsize]
	return e, true
}

// ascending says whether the keys ascend from lo to below hi.
func ascending(page []element, lo, hi []byte) error {
	for i, e := range page {
		if bytes.Compare(e.key, lo) < 0 || hi != nil && bytes.Compare(e.key, hi) >= 0 || i > 0 && bytes.Equal(e.key, lo) {
			return damagef("key %d is out of order", i)
		}
		lo = e.key
	}
	return nil
}
