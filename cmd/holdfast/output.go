package main

import (
	"bytes"
	"fmt"
	"io"

	"holdfast/cmd/holdfast/internal/client"
)

// printResult prints an answer of the keys API as etcdctl does. In simple form
// only the action "delete" shows the previous value; etcdctl's users parse the
// rest as it is, the empty line after an expiry included.
func printResult(w io.Writer, result client.Result, format string) error {
	var text bytes.Buffer
	switch format {
	case formatJSON:
		return printRaw(w, result.Raw)
	case formatExtended:
		printExtended(&text, result)
	default:
		if result.Action == "delete" && result.PrevNode != nil {
			fmt.Fprintln(&text, "PrevNode.Value:", result.PrevNode.Value)
		} else {
			fmt.Fprintln(&text, result.Node.Value)
		}
	}
	return write(w, text.Bytes())
}

func printExtended(text *bytes.Buffer, result client.Result) {
	fmt.Fprintln(text, "Key:", result.Node.Key)
	fmt.Fprintln(text, "Created-Index:", result.Node.CreatedIndex)
	fmt.Fprintln(text, "Modified-Index:", result.Node.ModifiedIndex)
	if result.PrevNode != nil {
		fmt.Fprintln(text, "PrevNode.Value:", result.PrevNode.Value)
	}
	fmt.Fprintln(text, "TTL:", result.Node.TTLSeconds)
	fmt.Fprintln(text, "Index:", result.Index)
	if result.Action != "delete" {
		fmt.Fprintf(text, "\n%s\n", result.Node.Value)
	}
}

// printRaw prints a server's JSON answer on one line of its own.
func printRaw(w io.Writer, answer []byte) error {
	return write(w, append(bytes.TrimRight(answer, "\n"), '\n'))
}

// write reports a standard output that takes no more: a full disk must not
// pass for success.
func write(w io.Writer, text []byte) error {
	if _, err := w.Write(text); err != nil {
		return fail("output", "standard output", err, "make room or give it a reader")
	}
	return nil
}
