package state

import (
	"bytes"
	"encoding/binary"
	"io"

	"go.etcd.io/bbolt"
)

// The file is read by a walk of its own, before bbolt follows its pages: bbolt
// trusts them. Damage that makes it panic or fault can be caught, but a branch
// page that leads back to itself makes it loop until memory ends, and a
// damaged free list can make it ask for all memory at once. Nothing catches
// these: every start would die of them. bbolt's own checker is caught likewise.
// The walk also finds what lies beside the damage. The layout is
// that of bbolt's internal/common (page.go, bucket.go), file format 2, in the
// byte order of the machine.
const (
	pageHeader   = 16 // id u64, flags u16, count u16, overflow u32
	elementSize  = 16 // branch: pos, ksize u32, child u64; leaf: flags, pos, ksize, vsize u32
	bucketHeader = 16 // root u64, sequence u64
	branchPage   = 0x01
	leafPage     = 0x02
	freeListPage = 0x10
	bucketLeaf   = 0x01

	// In a meta page, after the page's header.
	metaRoot     = 16 // u64
	metaFreeList = 32 // u64
	metaEnd      = 40 // u64: the first page beyond those in use
	metaSize     = 64
)

var order = binary.NativeEndian

// walker reads the rows of one file.
type walker struct {
	file     io.ReaderAt
	pageSize int
	end      uint64 // the first page that is not in use
	seen     map[uint64]bool
	visit    func(k key, value []byte)
	err      error // the first damage
}

// walk gives every row that can be reached to visit. The error says that the
// tree is damaged: sound is one whose every page is reached once, is not in
// the free list and holds its elements, with ascending keys. Of the meta pages
// bbolt has chosen the one that tx rests on, and verified its checksum.
func walk(tx *bbolt.Tx, file io.ReaderAt, pageSize int, visit func(k key, value []byte)) error {
	meta := make([]byte, metaSize)
	if _, err := file.ReadAt(meta, int64(tx.ID()%2*pageSize+pageHeader)); err != nil {
		return damage{error: err}
	}
	w := &walker{file: file, pageSize: pageSize, end: order.Uint64(meta[metaEnd:]), seen: map[uint64]bool{}, visit: visit}
	w.page(order.Uint64(meta[metaRoot:]), subtree{})
	w.freeList(order.Uint64(meta[metaFreeList:]))
	return w.err
}

// freeList judges the list of free pages: as long as its page has room for,
// and of pages that nothing uses.
func (w *walker) freeList(id uint64) {
	page, err := w.read(id)
	if err != nil {
		w.damaged("free list: %w", err)
		return
	}
	count, ids := uint64(order.Uint16(page[10:])), page[pageHeader:]
	if count == 0xFFFF { // then the first one is the count
		count, ids = order.Uint64(ids), ids[8:]
	}
	if order.Uint16(page[8:]) != freeListPage || count > uint64(len(ids)/8) {
		w.damaged("free list: its header is wrong")
		return
	}
	for i := range count {
		if err := w.use(order.Uint64(ids[8*i:]), 1); err != nil {
			w.damaged("free list: %w", err)
			return
		}
	}
}

// subtree is where a page lies: in which bucket ("" is the root of them all),
// with keys from lo up to, not including, hi; nil: no limit.
type subtree struct {
	bucket string
	lo, hi []byte
}

func (w *walker) damaged(format string, args ...any) {
	if w.err == nil {
		w.err = damagef(format, args...)
	}
}

// page walks what lies below a page.
func (w *walker) page(id uint64, at subtree) {
	page, err := w.read(id)
	if err == nil {
		err = w.elements(page, at)
	}
	if err != nil {
		w.damaged("page %d: %w", id, err)
	}
}

// elements walks what the elements of a page hold or lead to.
func (w *walker) elements(page []byte, at subtree) error {
	all, err := elements(page)
	if err != nil {
		return err
	}
	if !ascending(all, at.lo, at.hi) {
		w.damaged("bucket %q: keys are out of order", at.bucket)
	}
	for i, e := range all {
		below := subtree{at.bucket, e.key, at.hi}
		if i+1 < len(all) {
			below.hi = all[i+1].key
		}
		w.element(e, below)
	}
	return nil
}

// element walks one element: a child page, a bucket or a row.
func (w *walker) element(e element, at subtree) {
	switch {
	case e.child != 0:
		w.page(e.child, at)
	case e.bucket != (at.bucket == ""):
		w.damaged("bucket %q: buckets and rows are mixed", at.bucket)
	case e.bucket:
		w.bucket(e, subtree{bucket: string(e.key)})
	default:
		w.visit(key{at.bucket, string(e.key)}, e.value)
	}
}

// bucket walks a bucket: its root page, or the page that its value ends with
// while it is small.
func (w *walker) bucket(e element, at subtree) {
	if len(e.value) < bucketHeader || at.bucket == "" {
		w.damaged("bucket %q is cut off", e.key)
		return
	}
	if root := order.Uint64(e.value); root != 0 {
		w.page(root, at)
	} else if err := w.elements(e.value[bucketHeader:], at); err != nil {
		w.damaged("bucket %q: %w", e.key, err)
	}
}

// read gives a page with its overflow, once.
func (w *walker) read(id uint64) ([]byte, error) {
	header := make([]byte, pageHeader)
	if id >= w.end {
		return nil, damagef("it is outside of the file")
	}
	if _, err := w.file.ReadAt(header, int64(id)*int64(w.pageSize)); err != nil {
		return nil, damage{error: err}
	}
	pages := uint64(order.Uint32(header[12:])) + 1
	if order.Uint64(header) != id {
		return nil, damagef("its header is wrong")
	}
	if err := w.use(id, pages); err != nil {
		return nil, err
	}
	page := make([]byte, pages*uint64(w.pageSize))
	if _, err := w.file.ReadAt(page, int64(id)*int64(w.pageSize)); err != nil {
		return nil, damage{error: err}
	}
	return page, nil
}

// use notes that pages from id on have a use, which must be their only one.
func (w *walker) use(id, pages uint64) error {
	if id < 2 || id >= w.end || pages > w.end-id {
		return damagef("page %d is outside of the file", id)
	}
	for i := id; i < id+pages; i++ {
		if w.seen[i] {
			return damagef("page %d is used twice", i)
		}
		w.seen[i] = true
	}
	return nil
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
func ascending(all []element, lo, hi []byte) bool {
	for i, e := range all {
		if order := bytes.Compare(e.key, lo); order < 0 || i > 0 && order == 0 {
			return false
		}
		if hi != nil && bytes.Compare(e.key, hi) >= 0 {
			return false
		}
		lo = e.key
	}
	return true
}
