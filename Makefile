# taskwire: what an engineer does every day. `make` or `make help` lists it.
#
# The modules come from go.work; nothing here knows a service by its name.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# Built by the go command; .golangci.yml says what it looks at.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# Recursive on purpose: most targets do not need the list.
MODULES = $(shell $(GO) list -m -f '{{.Dir}}')
# The end-to-end tests are a module of their own, and run last.
END_TO_END := $(CURDIR)/test

# each runs its argument in every module, and fails if it failed in one.
each = failed=0; for module in $(MODULES); do (cd "$$module" && $(1)) || failed=1; done; exit $$failed

lower = $(shell tr A-Z a-z <<<"$(1)")

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Built, then run in place of the shell: `go run` would not pass SIGTERM on.
.PHONY: run
run: ## Run the whole suite on this machine (BROKER=redis, PORTS=free, API_PORT=…)
	@mkdir -p .local/bin
	@echo "taskwire: building what runs the suite"
	@$(GO) build -o .local/bin/local ./dapr/local
	@exec .local/bin/local

.PHONY: resources
resources: ## Write the Dapr resources that `dapr run -f dapr` uses
	@$(GO) run ./dapr/local resources

.PHONY: web
web: ## Build the page for people, which task-api embeds (make run and make images do so too)
	@$(GO) run ./web/build

.PHONY: build
build: ## Build every module
	@$(call each,$(GO) build -o /dev/null ./...)

.PHONY: test
test: test-unit test-e2e ## Run all tests (needs Postgres; starts suites on free ports)

# The services' tests wait for Postgres half of the time: three packages at once. The last
# modules take longest (task-api's own tests alone as long as all others), and so come first.
# A program with the race detector sleeps for a second at its end, unless told otherwise: none
# of the tests leaves behind what could still race.
# The images are made by one goroutine, and compressing them takes minutes with the race
# detector: they are tested without it.
latest = $(shell printf '%s\n' $(1) | sort -r)

.PHONY: test-unit
test-unit: ## Run the tests beside the code, with the race detector; without it what requests cost, and tell by their time
	@failed=0; GORACE="atexit_sleep_ms=10 $${GORACE:-}" $(GO) test -race -shuffle=on -timeout 25m -p 3 $(addsuffix /...,$(call latest,$(filter-out $(END_TO_END) $(CURDIR)/images,$(MODULES)))) || failed=1; \
	$(GO) test -shuffle=on ./images/... || failed=1; \
	for file in $$(grep -rl --include=cost_test.go '^func TestNoRequestIsDear' $(MODULES) | sort); do \
		(cd "$$(dirname "$$file")" && $(GO) test -run '^(TestNoRequestIsDear|TestTheTimeTellsNothing)$$' .) || failed=1; \
	done; \
	exit $$failed

# One package at a time: each starts a suite of its own, and measures time. But for those that
# build programs and fetch packages all the time, and those that wait for a browser: they run
# beside the others, one after another.
BESIDE := clients contributing web

.PHONY: test-e2e
test-e2e: ## Run the end-to-end tests
	@cd "$(END_TO_END)"; failed=0; \
	$(GO) test -count=1 -p 1 -timeout 30m $(addprefix ./,$(BESIDE)) & beside=$$!; \
	$(GO) list ./... | grep -v $(addprefix -e /,$(addsuffix $$,$(BESIDE))) | xargs $(GO) test -count=1 -p 1 -timeout 30m || failed=1; \
	wait $$beside || failed=1; \
	exit $$failed

# They are some of the end-to-end tests.
.PHONY: test-web
test-web: ## Try the page in a real browser (needs Chromium)
	@cd "$(END_TO_END)" && $(GO) test -count=1 -timeout 20m ./web

.PHONY: page-speed
page-speed: ## Measure the page with a long list in a real browser (TASKS=5000, TRACES=folder)
	@cd "$(END_TO_END)" && $(GO) test -count=1 -v -timeout 20m ./web -run '^TestALongList$$' -args $(if $(TASKS),-tasks $(TASKS)) $(if $(TRACES),-traces "$(abspath $(TRACES))")

# Each broker by its name: embedded, redis, kafka (a real one); -short before
# them leaves out what is the same on all.
BROKERS ?=

.PHONY: test-brokers
test-brokers: ## Run the end-to-end tests on every broker (BROKERS="redis kafka")
	@cd "$(END_TO_END)" && $(GO) run ./brokers $(BROKERS)

.PHONY: lint
lint: ## Check format, golangci-lint (which has all of go vet), go.mod files and workflows
	@unformatted="$$(gofmt -l $(MODULES))"; \
		[ -z "$$unformatted" ] || { echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; }
	@$(GO) run $(ACTIONLINT)
	@$(call each,$(GO) run $(GOLANGCI) run ./... && GOWORK=off $(GO) mod tidy -diff)

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what the code calls (asks vuln.go.dev)
	@$(call each,$(GO) run $(GOVULNCHECK) ./...)

.PHONY: images
images: ## Build the images of the services into .local/images (TAG=, VERSION=, PLATFORM=, REGISTRY=, PUSH=true)
	@$(GO) run ./images $(foreach option,TAG VERSION PLATFORM REGISTRY PUSH,$(if $($(option)),-$(call lower,$(option))="$($(option))"))

# A Kubernetes of its own, from Go modules; under .local/kubernetes.
CLUSTER := ./test/kubernetes/cluster/cluster.sh

.PHONY: k8s-plane-test
k8s-plane-test: ## Apply every overlay to a real control plane (no node; builds it the first time)
	@./test/kubernetes/plane/run.sh

.PHONY: k8s-test
k8s-test: ## Run the suite on a real Kubernetes with Dapr (root, Linux; builds it the first time)
	@./test/kubernetes/live/run.sh

.PHONY: promtool
promtool: ## Fetch promtool for the alerts' tests into .local, where there is none (Debian)
	@command -v promtool >/dev/null || test -x .local/promtool/usr/bin/promtool || { \
		mkdir -p .local/promtool && cd .local/promtool && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; } } && dpkg -x prometheus_*.deb . ; }

.PHONY: bench
bench: ## Measure the suite on this machine, beside another commit (MEASURE="api relay", LENGTH=5s, ROUNDS=3, BASE=commit)
	@$(GO) run ./test/bench $(foreach option,LENGTH ROUNDS BASE,$(if $($(option)),-$(call lower,$(option)) "$($(option))")) $(MEASURE)

.PHONY: chaos
chaos: ## Break the parts of a suite under load, and compare (DURATION=10m, SEED=…)
	@$(GO) run ./test/chaos $(foreach option,DURATION SEED RATE USERS BROKER DOWN KILL MIX BREAK,$(if $($(option)),-$(call lower,$(option)) "$($(option))"))

.PHONY: soak
soak: ## Attack a suite under normal load, and see what its users notice (DURATION=8s, ATTACK=…, SEED=…)
	@$(GO) run ./test/soak $(foreach option,DURATION ATTACK SEED,$(if $($(option)),-$(call lower,$(option)) "$($(option))"))

# The random sequences of the model test. SEED repeats a run, FROM begins at one of its sequences.
SEQUENCES ?= 10000

.PHONY: model
model: ## Run the model test of series for long (SEQUENCES=10000, SEED=…)
	@cd "$(END_TO_END)/series" && $(GO) test -count=1 -timeout 6h -args -sequences $(SEQUENCES) $(foreach option,SEED FROM,$(if $($(option)),-$(call lower,$(option)) "$($(option))"))

# How many random rules the dates are worked out of a second time.
RULES ?= 100000

.PHONY: oracle
oracle: ## Hold recurrence against a second reading of RFC 5545 (RULES=100000, SEED=…), and every clock change until 2040
	@cd pkg && $(GO) test ./recurrence -count=1 -v -timeout 2h -run 'TestAgreesWithTheReference|TestEveryClockChange' -transitions -rules $(RULES) $(if $(SEED),-seed $(SEED))

.PHONY: openapi
openapi: ## Write the description of the API anew from the code
	@failed=0; for service in services/*/openapi.json services/task-api/internal/rest; do \
		service="$${service%/openapi.json}"; (cd "$$service" && $(GO) test -count=1 -run '^TestOpenAPI$$' . -update) || failed=1; \
	done; exit $$failed

FUZZTIME ?= 1m

# One fuzz test at a time: go test takes no more.
.PHONY: fuzz
fuzz: ## Fuzz everything that parses (FUZZTIME=1m for each)
	@grep -rl --include='*_test.go' '^func Fuzz' $(MODULES) | sort | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while read -r name; do \
			echo "fuzz: $$name"; \
			(cd "$$(dirname "$$file")" && $(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) .) || exit 1; \
		done || exit 1; \
	done

# What is too long for each change. The seeds of chaos are in its output.
.PHONY: nightly
nightly: ## Run what is too long for each change: every broker whole, chaos, soak, the model test, 10,000 moves, recurrence's oracle, fuzzing, a Kubernetes (hours)
	@$(MAKE) test-brokers
	@GOFLAGS=-race $(MAKE) chaos DURATION=10m RATE=20
	@$(MAKE) chaos DURATION=5m BROKER=redis
	@EVENT_TRANSPORT=kafka $(MAKE) chaos DURATION=5m
	@$(MAKE) chaos DURATION=200s USERS=3 DOWN=broker KILL=task-api
	@$(MAKE) soak
	@$(MAKE) model
	@cd services/task-api && $(GO) test ./internal/task -count=1 -run '^TestMovesToOnePlace$$' -moves 10000
	@$(MAKE) oracle
	@$(MAKE) fuzz
	@$(MAKE) k8s-test

.PHONY: fmt
fmt: ## Format the code
	@gofmt -w $(MODULES)

.PHONY: tidy
tidy: ## Tidy every go.mod
	@$(call each,GOWORK=off $(GO) mod tidy)
