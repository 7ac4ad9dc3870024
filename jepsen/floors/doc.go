// Package floors holds Holdfast's work under load against the floors that it must
// not fall below, beside etcd 3.4 with its v2 API and beside a bare HTTP server.
//
// [Run] starts real processes of both on one machine, with every write synced, and
// lets "holdfast bench" measure each row: the stores take turns in slices, and the
// median of the ratios is what counts. So every figure here can be had by hand
// with the command that the report names. A row below its floor, or without a
// figure, does not hold.
//
// What load does not tell is for package versus; how cost grows for package curves.
package floors
