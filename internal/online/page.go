package online

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hmad/hmad/internal/powershell"
)

const (
	maxPageRows = 5000 // of one page; 1000 are asked for
	maxColumns  = 500  // properties of one row; a mailbox has about 200
	maxTexts    = 20   // error texts of a page that are read

	// maxValues bounds the properties of a page that are kept: 1000 mailboxes with all
	// of theirs have 200,000.
	maxValues = 500_000
)

// page is one answer of InvokeCommand.
type page struct {
	rows []powershell.Row
	next string // @odata.nextLink: where the answer goes on; empty: it is whole
}

var errNotUnderstood = errors.New("the answer does not come from the API")

// page reads a good answer.
func (q question) page(body []byte) (page, *CmdletError) {
	wrong := func(kind Kind, text string) *CmdletError {
		return &CmdletError{Cmdlet: q.cmdlet, Kind: kind, Text: text}
	}
	if len(body) > maxPage {
		return page{}, wrong(Invalid, fmt.Sprintf("the answer is over %d bytes", maxPage))
	}
	w, err := decodePage(body, q.keep)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return page{}, wrong(Transient, "the answer is incomplete")
	case err != nil && tooManyRequests(string(body[:min(len(body), 4096)])):
		return page{}, wrong(Throttled, concurrencyText)
	case err != nil:
		return page{}, wrong(Invalid, err.Error())
	case w.fault != nil:
		return page{}, q.fault(*w.fault, answer{status: 200})
	}
	return w.page, nil
}

// wirePage is a page as it is sent.
type wirePage struct {
	page
	fault *wireFault // an error within a 200
}

// decodePage reads a page. An empty body, and a value that is missing, null or
// empty, are an answer without rows. Keys with an @ name the types of others and
// are skipped, except the envelope's own two. Exchange's warnings are free text
// and are not kept.
func decodePage(body []byte, keep map[string]bool) (w wirePage, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return w, nil
	}
	if powershell.TooDeep(body) {
		return w, fmt.Errorf("the answer nests deeper than %d", powershell.MaxDepth)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	err = eachMember(dec, func(name string) error {
		switch name {
		case "value":
			w.rows, err = decodeRows(dec, keep)
			return err
		case "@odata.nextLink":
			return dec.Decode(&w.next)
		case "error":
			w.fault, err = decodeFault(dec)
			return err
		case "@adminapi.errors":
			if f, err := decodeErrors(dec); f != nil || err != nil {
				w.fault = f
				return err
			}
			return nil
		default:
			return skip(dec)
		}
	})
	if err == nil && dec.More() {
		err = errNotUnderstood
	}
	return w, wordJSON(err)
}

// wordJSON keeps the answer's values out of errors.
func wordJSON(err error) error {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.As(err, &syntax) || errors.As(err, &typed):
		return errNotUnderstood
	default:
		return err
	}
}

// eachMember calls f at the value of every member of an object; f must read
// it. Null is an object without members.
func eachMember(dec *json.Decoder, f func(name string) error) error {
	open, err := dec.Token()
	if err != nil || open == nil {
		return err
	}
	if open != json.Delim('{') {
		return errNotUnderstood
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		if err := f(name.(string)); err != nil { // a JSON object's names are texts
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func skip(dec *json.Decoder) error {
	var v json.RawMessage
	return dec.Decode(&v)
}

// decodeRows reads the rows of a page, or null.
func decodeRows(dec *json.Decoder, keep map[string]bool) ([]powershell.Row, error) {
	open, err := dec.Token()
	if err != nil || open == nil {
		return nil, err
	}
	if open != json.Delim('[') {
		return nil, errNotUnderstood
	}
	var rows []powershell.Row
	values := 0
	for dec.More() {
		if len(rows) == maxPageRows {
			return nil, fmt.Errorf("the answer has over %d rows in a page", maxPageRows)
		}
		row, err := decodeRow(dec, keep)
		if err != nil {
			return nil, err
		}
		if values += len(row); values > maxValues {
			return nil, fmt.Errorf("the answer has over %d values in a page", maxValues)
		}
		rows = append(rows, row)
	}
	_, err = dec.Token()
	return rows, err
}

func decodeRow(dec *json.Decoder, keep map[string]bool) (powershell.Row, error) {
	row, members := powershell.Row{}, 0
	err := eachMember(dec, func(name string) error {
		if members++; members > 3*maxColumns { // two side keys each
			return fmt.Errorf("a row has over %d properties", maxColumns)
		}
		if strings.Contains(name, "@") || keep != nil && !keep[strings.ToLower(name)] {
			return skip(dec)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return err
		}
		row[name] = v
		return nil
	})
	return row, err
}

// decodeErrors reads a list of error texts: the first of them, where there is one.
// Whatever stands there but null, an empty list or an empty text is an error.
func decodeErrors(dec *json.Decoder) (*wireFault, error) {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, err
	}
	list := json.NewDecoder(bytes.NewReader(raw))
	switch open, _ := list.Token(); {
	case open == nil, open == "", open == json.Delim('[') && !list.More():
		return nil, nil
	case open != json.Delim('['):
		return new(wireFault), nil
	}
	for n := 0; n < maxTexts && list.More(); n++ {
		var element json.RawMessage
		if list.Decode(&element) != nil {
			break
		}
		if s := ""; element[0] == '"' && json.Unmarshal(element, &s) == nil {
			return &wireFault{Message: s}, nil
		}
	}
	return new(wireFault), nil
}

// decodeFault reads the object error within an answer; of one that is larger than an
// error is read to be, only that it is there.
func decodeFault(dec *json.Decoder) (f *wireFault, err error) {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, err
	}
	if len(raw) > maxError {
		return new(wireFault), nil
	}
	return f, json.Unmarshal(raw, &f)
}
