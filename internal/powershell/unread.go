package powershell

// Unread are the properties of an object whose values could not be read; the
// object's own value for each is zero. Nil: all could be read.
type Unread []UnreadProperty

// UnreadProperty is one of them, with why.
type UnreadProperty struct {
	Name string
	Err  error
}

// Lacks returns why one of these properties could not be read; nil where all of
// them could.
func (u Unread) Lacks(names ...string) error {
	for _, name := range names {
		for _, p := range u {
			if p.Name == name {
				return p.Err
			}
		}
	}
	return nil
}

// Alone reads a property whose error costs this property alone: it stands in
// Unread, not in Err, and the value is zero.
func Alone[T any](f *Fields, name string, by func(string) (T, error)) T {
	value, err := by(name)
	if err != nil {
		f.FailAlone(name, err)
		var none T
		return none
	}
	return value
}

// FailAlone notes what is wrong with a property and costs that property alone.
func (f *Fields) FailAlone(name string, err error) {
	f.unread = append(f.unread, UnreadProperty{name, err})
}

// Unread returns the properties that Alone could not read so far.
func (f *Fields) Unread() Unread { return f.unread }
