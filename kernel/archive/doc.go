// Package archive writes what leaves the cluster as one file, and reads it back.
//
// An archive has the form of Consul's snapshots: a gzip'd tar of meta.json, which
// says of what and when it is, state.bin, the kernel's own snapshot, and
// SHA256SUMS, the sums of the two, in the form that sha256sum(1) checks. Its
// promises:
//
//   - It is of one moment, and made while the state goes on: [Write] holds one
//     block of the state in memory, whatever the size of the store.
//   - What was damaged, cut short or put together by somebody else is refused by
//     [Read] and [Verify], which hold no more, whatever an archive says of itself.
//
// It is not for: deciding when a state may be taken or put in place (package
// kernel/replica), or for files and connections (package httpd and the command
// line). docs/format-archive.md shows the form.
package archive
