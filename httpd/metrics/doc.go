// Package metrics shows what a member counts and measures, as /metrics on the
// ops port, in the Prometheus text format. docs/metrics.md has a row for each
// metric.
//
// Its promises:
//
//   - Each queue and each table has its limit beside it, and counts what it
//     refused.
//   - Whoever serves a request pays for it with an addition or two: the rooms
//     below keep plain counters, and only a scrape makes metrics of them.
//   - What counts up never goes back while the process lives, whatever becomes
//     of raft or of the state.
//
// The Prometheus library stays in here: the simulator's guest, made of package
// httpd and all below it, does not link it. It is not for: deciding what is
// counted, which the rooms do (replica.Metrics, httpd.Stats).
package metrics
