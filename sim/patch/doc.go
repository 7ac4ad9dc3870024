// Package patch changes sources for one build, and leaves the tree as it is.
//
// Its promise: an Edit takes effect exactly where it says or not at all, loudly; and the bytes of what is then built do not
// depend on where the changed files lie.
//
// The go command is told of changed files by an overlay. It takes one for our own files and for those of GOROOT; it refuses
// one for the module cache. A module there is therefore moved, by a replace line in a copy of go.mod, to a directory of our
// module that exists in the overlay only: each of its files stands for the one in the cache or for a changed copy. So the
// replacement's path, which ends up in the built file, is the same on every machine.
//
// It is not for changes that people keep: those belong into the sources.
package patch
