//go:build !unix

package main

import "time"

var begun = time.Now()

// cpuTime cannot be asked for here; the time that has passed is never less.
func cpuTime() time.Duration { return time.Since(begun) }
