// Package acceptance drives a running store with clients that others wrote and
// that are in use: etcdctl under ETCDCTL_API=2, and go.etcd.io/etcd/client/v2.
// The holdfast command line runs through the same scripts. Each test runs
// against the real etcd first, which shows that the test is right, and then
// against Holdfast.
//
// The tests need etcd and etcdctl (apt-get install etcd-server etcd-client) and
// stand behind the build tag "etcd"; there is nothing in this package to
// import.
package acceptance
