//go:build wasip1

// Command toy is the guest of package sim's own tests: small parts that listen, dial, echo, wait and write files, and a
// store of a few lines that can be told how to fail. A part that does not find what it should prints FAILED and ends with
// status 1. It is not for anything but those tests.
package main
