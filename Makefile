# Holdfast. "make help" lists the targets.

GO       ?= go
FUZZTIME ?= 10s
SCRIPTS  ?= 2000
TESTARGS ?=

# Comparisons with the real etcd and tests by etcdctl stand behind the build
# tag "etcd". A machine without etcd runs everything else.
ETCD := $(and $(shell command -v etcd),$(shell command -v etcdctl))
TAGS := $(if $(ETCD),etcd,)

# What the race detector runs on: all that runs goroutines and is quick to test.
RACE_PKGS  = ./kernel/... ./wal/... ./transport/... ./httpd/... ./jepsen/... ./cmd/holdfast/...
# What the simulator's guest is made of: it must build for WebAssembly too.
GUEST_PKGS = ./kernel/... ./wal/... ./transport/... ./httpd/...

.DEFAULT_GOAL := help
.PHONY: build run test check lint race bench cluster fuzz conformance differential acceptance sim-smoke guest kill clean help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Nothing but the source and the commit goes into the programs: the same commit
# gives the same bytes in any directory.
build: ## build the programs into bin/
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

run: build ## build and start a store of one member on 127.0.0.1:2379
	exec bin/holdfast agent

cluster: build ## start three members on this machine; Ctrl-C stops them
	exec .ci/cluster

test: ## run all tests
	$(if $(ETCD),,@echo "etcd or etcdctl is missing: comparisons with them are left out; install: apt-get install etcd-server etcd-client")
	$(GO) test -tags '$(TAGS)' $(TESTARGS) ./...

check: lint test race guest sim-smoke ## all that has to hold before a change is done

lint: ## formatting, vet, staticcheck, and the house rules of lint_test.go
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './.*')); \
	  test -z "$$unformatted" || { echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; }
	$(GO) vet -tags etcd ./...
	GOOS=wasip1 GOARCH=wasm $(GO) vet $(GUEST_PKGS)
	$(GO) tool staticcheck -tags etcd ./...
	$(GO) test -count=1 .

race: ## tests under the race detector
	$(GO) test -race -tags '$(TAGS)' $(TESTARGS) $(RACE_PKGS)

bench: ## benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## run every fuzz target for FUZZTIME (default 10s)
	@grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | \
	  sed 's|^\(.*\)/[^/]*:[0-9]*:func \(.*\)$$|\1 \2|' | sort | \
	  while read -r dir target; do \
	    echo "$$dir $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; \
	  done

conformance: ## recorded answers of the real etcd, and side by side with it
	$(GO) test -count=1 -tags '$(TAGS)' $(TESTARGS) ./jepsen/conform/... ./jepsen/differential/...

differential: ## SCRIPTS (default 2000) random scripts side by side with a live etcd
	$(GO) test -count=1 -v -tags etcd -run 'TestHoldfastAnswersAsEtcd' ./jepsen/differential -args -scripts $(SCRIPTS)

acceptance: ## etcdctl and etcd's Go client against etcd and against Holdfast
	$(GO) test -count=1 -tags etcd $(TESTARGS) ./cmd/holdfast/acceptance

sim-smoke: guest ## ten virtual seconds of three simulated members, twice, to the same hash
	bin/holdfast-sim smoke

guest: build ## build what the simulator runs, for WebAssembly
	GOOS=wasip1 GOARCH=wasm $(GO) build $(GUEST_PKGS)
	bin/holdfast-sim guest

kill: build ## kill the leader of three real members ten times and count what is lost
	bin/holdfast-jepsen kill

clean: ## remove what was built; data directories stay
	rm -rf bin .cache
