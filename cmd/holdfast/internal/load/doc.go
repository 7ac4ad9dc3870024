// Package load is the generator behind "holdfast bench": clients that ask
// stores speaking the etcd v2 HTTP API as fast as they are answered.
//
// Its promise is a comparison that holds on a noisy machine. Stores take turns
// in short slices (A B A B ...), each pair of slices gives one ratio, and the
// spread of the ratios is reported beside their median. Where the processes of a
// store are named, work per second of their CPU time is reported too, which
// does not depend on what else the machine does. The generator is cheap: request
// bytes are made by hand, one connection belongs to one client, and nothing is
// allocated per request.
//
// The loop is closed: a client sends its next request when it has the answer to
// the last. A store that stalls stops its clients too, so percentiles are those
// of that many clients, not of requests arriving at a given rate.
//
// It is not a client library, and it checks no answers beyond their status:
// whether a store tells the truth is the business of the simulator.
package load
