package note

//go:wasmimport sim note
func hostNote(kind int32, text string)

// Send hands one note to the host.
func Send(kind Kind, text string) { hostNote(int32(kind), text) }

// Writer notes what is written to it.
type Writer Kind

// Write implements io.Writer; it never fails.
func (w Writer) Write(p []byte) (int, error) {
	Send(Kind(w), string(p))
	return len(p), nil
}
