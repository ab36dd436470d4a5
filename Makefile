# Everything that people and CI do with this repository; "make" lists it.
# Go is all that is needed, except where a line says otherwise.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Settings, to be given as NAME=value.
PKG      ?= ./...
FUZZTIME ?= 3s
BENCH    ?=
ARGS     ?=

# A tagged commit names its release; anything else calls itself development.
RELEASE := $(shell git describe --tags --exact-match 2>/dev/null | sed 's/^v//')
LDFLAGS := $(if $(RELEASE),-X main.release=$(RELEASE))

# Tests run in random order, and never from the cache: a pass shall mean that they ran.
GOTEST := go test -count=1 -shuffle=on -timeout 25m

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- build and run ---------------------------------------------------------------------------------------------------

.PHONY: build
build: bin/warren bin/amqpbench ## build bin/warren and bin/amqpbench

# Go knows what has changed, so these are always asked for.
.PHONY: bin/warren bin/amqpbench
bin/warren:
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/warren ./cmd/warren
bin/amqpbench:
	go build -trimpath -o bin/amqpbench ./integration_test/bench

.PHONY: run
run: bin/warren ## start the broker on ./data: AMQP on port 5672, HTTP API on 15672 (ARGS='--log-level debug')
	exec bin/warren server --data-dir ./data $(ARGS)

.PHONY: docker
docker: ## build the container image "warren" (needs a Docker engine)
	docker build --build-arg RELEASE=$(RELEASE) -t warren .

# --- test ------------------------------------------------------------------------------------------------------------

.PHONY: test
test: deps lint generate-check unit single race lockorder fuzz ## all that CI asks for

.PHONY: deps
deps:
	go mod download

.PHONY: unit
unit: ## all Go tests (PKG=./queue for some)
	$(GOTEST) $(PKG)

.PHONY: single
single: ## all Go tests on one processor
	GOMAXPROCS=1 $(GOTEST) $(PKG)

.PHONY: race
race: ## all Go tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GOTEST) -race $(PKG)

.PHONY: lockorder
lockorder: ## the tests of broker and server in a build that watches over the order of locks
	$(GOTEST) -tags lockorder ./broker ./server
	$(GOTEST) -tags lockorder -run LocksAreTaken ./queue

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME=3s
	@integration_test/fuzz.sh $(FUZZTIME) $(PKG)

.PHONY: crash
crash: ## kill -9 and power cuts while clients are at work (cuts need root; ARGS='-rounds=20 -cuts=5 -seed=7')
	go test -count=1 -v -timeout 2h ./integration_test/crash -rounds=100 -cuts=20 $(ARGS)

.PHONY: lint
lint: ## formatting, go vet, staticcheck and a tidy go.mod
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff

.PHONY: generate
generate: ## write the generated code anew
	go generate ./...

.PHONY: docs
docs: ## write the table of settings in docs/operations.md anew
	go test -count=1 -run TestOperationsDocumentListsTheSettings ./cmd/warren -update

.PHONY: generate-check
generate-check: ## see that the generated code is what the generators write
	@integration_test/generated.sh

.PHONY: cover
cover: ## test coverage, as bin/cover.html
	@mkdir -p bin
	go test -coverpkg=./... -coverprofile=bin/cover.out $(PKG)
	go tool cover -html=bin/cover.out -o bin/cover.html

# --- compare with others ---------------------------------------------------------------------------------------------

.PHONY: compat
compat: bin/warren ## against a real RabbitMQ and with clients in other languages (best as root on Debian; says what it skips)
	integration_test/compat.sh

.PHONY: bench
bench: ## Go benchmarks (PKG=./amqp for some)
	go test -run '^$$' -bench . -benchmem $(PKG)

.PHONY: bench-peers
bench-peers: build ## the yardstick beside RabbitMQ and GarageMQ (as root on Debian; BENCH='-set quick -rounds 1')
	integration_test/bench/compare-peers.sh $(BENCH)

.PHONY: pgo
pgo: bin/amqpbench ## renew cmd/warren/default.pgo, the profile that the compiler optimises with (some minutes, on a quiet machine)
	integration_test/bench/pgo.sh

.PHONY: clean
clean: ## remove what was built; ./data stays
	rm -rf bin
