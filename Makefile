# Holdfast. "make help" lists the targets.

GO       ?= go
FUZZTIME ?= 10s
SCRIPTS  ?= 2000
FROM     ?= 1
SEEDS    ?= 300
ROUNDS   ?= 200
BUDGET   ?= 3m
SOAK     ?= 1h
LONG     ?= 2000
HUNTFROM ?= 0xca7c4000
# The planted faults that shrink-mutants hunts.
SHRINK   ?= M01,M05,M11,M15,M16,M19,M22,M24,M28,M30,M31,M41
# The earlier version of sim-mixed: the last tag before this commit or, until there is one, this commit.
UNTAGGED  = 778b9646790204046530bb767ba4c0ea09ef7994
BEFORE   ?= $(or $(shell git describe --tags --abbrev=0 HEAD^ 2>/dev/null),$(UNTAGGED))
# What bench-sim-versus holds this tree against: the simulator as it was first finished.
FIRST    ?= 59dccec
AXES     ?=
OUT      ?= bin/guest.wasm
TESTARGS ?=
PAGES    ?=

# Comparisons with the real etcd and tests by etcdctl stand behind the build
# tag "etcd". A machine without etcd runs everything else.
ETCD := $(and $(shell command -v etcd),$(shell command -v etcdctl))
TAGS := $(if $(ETCD),etcd,)

# What the race detector runs on: all that runs goroutines and is quick to test.
RACE_PKGS  = ./kernel/... ./wal/... ./transport/... ./httpd/... ./jepsen/... ./cmd/holdfast/...
# What the simulator's guest is made of: it must build for WebAssembly too.
GUEST_PKGS = ./kernel/... ./wal/... ./transport/... ./httpd/...

.DEFAULT_GOAL := help
.PHONY: build run test check lint race bench cluster fuzz conformance differential acceptance sim sim-smoke sim-long sim-day sim-mixed corpus sweep determinism mutants mutants-long report-test report-docs shrink-mutants bench-sim bench-sim-versus guest kill powercuts disk-faults hostile build-faults versus etcd36 floors steady curves soak clean help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Nothing but the source and the commit goes into the programs: the same commit
# gives the same bytes in any directory.
build: ## build the programs into bin/
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -o bin/ ./cmd/...

run: build ## build and start a store of one member on 127.0.0.1:2379
	exec bin/holdfast agent

cluster: build ## start three members on this machine; Ctrl-C stops them
	exec .ci/cluster

test: ## run all tests
	$(if $(ETCD),,@echo "etcd or etcdctl is missing: comparisons with them are left out; install: apt-get install etcd-server etcd-client")
	$(GO) test -tags '$(TAGS)' $(TESTARGS) ./...

check: lint test race guest sim-smoke sim ## all that has to hold before a change is done

lint: ## formatting, vet, staticcheck, and the house rules of lint_test.go
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './.*')); \
	  test -z "$$unformatted" || { echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; }
	$(GO) vet -tags etcd,faults ./...
	GOOS=wasip1 GOARCH=wasm $(GO) vet $(GUEST_PKGS)
	$(GO) tool staticcheck -tags etcd,faults ./...
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

sim: guest ## the corpus and sixty seeds of twenty virtual seconds under every fault, of three to seven members
	bin/holdfast-sim sweep --corpus --from 1 --seeds 60 --duration 20s

sweep: guest ## SEEDS (default 300) seeds from FROM of sixty virtual seconds; it fails unless rare things happened often
	bin/holdfast-sim sweep --from $(FROM) --seeds $(SEEDS) --duration 60s

sim-long: guest ## the corpus and LONG (default 2000) seeds from FROM of sixty virtual seconds, in hours and several goes if need be; it fails unless each rare state was reached
	bin/holdfast-sim sweep --corpus --from $(FROM) --seeds $(LONG) --duration 60s --every-probe --resume bin/sim-long-$(FROM).ledger

sim-day: guest ## two seeds of a virtual day each, at one operation a second and ten faults an hour
	bin/holdfast-sim sweep --from 0xda9 --seeds 2 --duration 24h --ops 1 --pace 6m --wall 4h

corpus: guest ## play SEEDS (default 300) short seeds and choose of them those that sweeps play first, anew
	rm -f bin/corpus.ledger
	bin/holdfast-sim sweep --from $(HUNTFROM) --seeds $(SEEDS) --duration 20s --resume bin/corpus.ledger
	bin/holdfast-sim corpus --out cmd/holdfast-sim/corpus.txt bin/corpus.ledger

sim-mixed: guest ## twenty seeds in which members of an earlier version (BEFORE, default the last tag) are upgraded; it fails unless each version led the other, and so on
	GO=$(GO) .ci/guest-before $(BEFORE) bin/guest-before.wasm
	bin/holdfast-sim sweep --from $(FROM) --seeds 20 --duration 20s --before bin/guest-before.wasm

determinism: guest ## fifty seeds from FROM, each played twice and compared step by step
	bin/holdfast-sim determinism --from $(FROM) --seeds 50 --duration 20s

mutants: guest ## hunt every planted fault for BUDGET of CPU time, and write docs/mutants.md
	bin/holdfast-sim mutants --from $(HUNTFROM) --budget $(BUDGET) --nodes 3 --duration 14s

mutants-long: guest ## the same in three campaigns, each on seeds of its own, for medians
	bin/holdfast-sim mutants --campaigns 3 --from $(HUNTFROM) --budget $(BUDGET) --nodes 3 --duration 14s

shrink-mutants: guest ## what finds planted faults shrinks in BUDGET of CPU time each, unattended, to a few faults and clients, all faults needed
	bin/holdfast-sim mutants --only $(SHRINK) --from $(HUNTFROM) --budget $(BUDGET) --nodes 3 --duration 14s --keep bin/shrunk --out bin/shrunk/mutants.md
	bin/holdfast-sim shrunk --budget $(BUDGET) bin/shrunk

report-test: build ## open the reports of docs/reports, or PAGES, in chromium and hold them against their runs' histories
	sim/story/playwright/run $(PAGES)

report-docs: build ## the same, and write docs/report-*.html and docs/report.png anew
	sim/story/playwright/run --docs

bench-sim: guest ## virtual seconds per CPU second, at work and idle
	bin/holdfast-sim bench

bench-sim-versus: guest ## the same in turns with the build of an earlier commit (FIRST, default that of the first simulator); it fails unless this one is half as fast again
	GO=$(GO) .ci/guest-before $(FIRST) bin/first/guest.wasm bin/first/holdfast-sim
	bin/holdfast-sim bench --against bin/first --floor 1.5

guest: build ## build what the simulator runs; OVERLAY and MODFILE plant faults of your own, OUT is where it goes
	GOOS=wasip1 GOARCH=wasm $(GO) build $(GUEST_PKGS)
	bin/holdfast-sim guest --out $(OUT) $(if $(OVERLAY),--overlay $(OVERLAY)) $(if $(MODFILE),--modfile $(MODFILE))

kill: build ## kill the leader of three real members ten times and count what is lost
	bin/holdfast-jepsen kill

powercuts: build build-faults ## cut the power under a real daemon ROUNDS (default 200) times; count what is lost
	bin/holdfast-jepsen powercut --rounds $(ROUNDS)

disk-faults: build build-faults ## break a real daemon's disk in every way of docs/disk-faults.md, and write it
	bin/holdfast-jepsen disk-faults

hostile: build ## attack a real daemon in every way of docs/hostile.md, and write it
	bin/holdfast-jepsen hostile

floors: build ## hold work under load against its floors beside etcd 3.4: fails if a ratio is below its own
	bin/holdfast-jepsen floors

steady: build ## write to three members for five minutes at full speed; fails if their leader changes
	bin/holdfast-jepsen steady

versus: build etcd36 ## hold Holdfast against etcd 3.6: a killed leader, an empty start, a million keys
	bin/holdfast-jepsen versus

# A module of its own: nothing of etcd 3.6 enters Holdfast's go.mod.
etcd36: ## build etcd 3.6, which no system packages, from its modules
	@mkdir -p bin
	cd jepsen/versus/etcd36 && CGO_ENABLED=0 $(GO) build -trimpath -o ../../../bin/etcd36 .

curves: build ## measure how cost grows along AXES (default all), draw it into docs/, judge it
	bin/holdfast-jepsen curves --svg docs $(if $(AXES),--only $(AXES))

soak: build ## three members at a steady load for SOAK (default 1h), restarted all along: fails if anything grows; draws docs/soak.svg
	bin/holdfast-jepsen soak --for $(SOAK)

build-faults: ## build the daemon that has the disk broken under it, for powercuts and disk-faults
	CGO_ENABLED=0 $(GO) build -trimpath -tags faults -o bin/holdfast-faults ./cmd/holdfast

clean: ## remove what was built; data directories stay
	rm -rf bin .cache
