package jepsen_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The members that workloads run against leave two of fasthttp's behind:
		// its clock for the Date header, which runs for ever once started, and a
		// pool that sleeps up to ten seconds before it sees its end.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}
