// Package differential runs random scripts of v2 key operations side by side
// against two servers and compares every answer.
//
// [Generate] makes a script from a seed: keys, directories, conditions, long
// TTLs, in-order keys, hidden keys, odd spellings of parameters and paths,
// replays and live watches, each below a root of its own. [Run] executes it on
// both servers and, where they differ, reduces it to the shortest script that
// still does.
//
// Answers are equal when status, Content-Type, X-Etcd-Index, the presence of
// the other X- headers, Allow, Location and the CORS headers are, and bodies
// are byte for byte, with these left out of account: an offset between the
// indices of the two servers, up to two seconds in times, the order of nodes
// in listings that did not ask for one, and the pages of redirects.
//
// It does not compare TTLs that run out, the end of the event ring, or
// anything beyond /v2/keys; the recorded corpus of jepsen/conform does.
package differential
