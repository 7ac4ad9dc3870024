// Command etcd36 is etcd 3.6, built from its own module, for the comparisons of
// package versus. Debian's etcd is 3.4, and 3.6 is packaged nowhere.
//
// It is a module of its own, so that nothing of it enters Holdfast's go.mod: no
// "./..." of Holdfast's reaches it, and "make etcd36" builds it. It is etcd and
// nothing else; it is not for use as a store.
package main
