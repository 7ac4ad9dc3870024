// Package conform replays recorded conversations with the real etcd v2 API and
// compares every answer.
//
// The conversations lie in testdata, one JSON file a [Scenario], in one folder
// an area. [Load] reads them, [Runner.Run] replays them one after another
// against a base URL, and each [Result] names what differed. Indices are exact,
// so nobody else may write to the server meanwhile.
//
// Scenarios tagged auth switch authentication on and off, those tagged
// destructive add and remove members; both want a server to throw away
// afterwards. Those tagged quirk hold faults of etcd that a server may decline
// with open eyes.
//
// An expectation is JSON in which strings may hold placeholders, ${...}, and
// may be tokens, such as @+1 (the index after the scenario's first) or @uint;
// expand.go and token.go list them. The package does not record: the corpus
// is given.
package conform
