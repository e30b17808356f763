# `make` alone lists what there is. Everything works with Go alone, but for the tests, which install what they miss.

MODULE  := github.com/windlass-jobs/windlass
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X $(MODULE)/services/internal/boot.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GO_FOLDERS := $(wildcard handlers jobs services tests)

.DEFAULT_GOAL := help
.PHONY: help run build test verify bench fmt generate clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## set up and start everything in one process (PORT, WEB_PORT, HOST, DATA_DIR)
	@$(GOBUILD) -o bin/embedded ./services/embedded
	@exec ./bin/embedded

build: ## build bin/api, bin/worker and bin/embedded
	$(GOBUILD) -o bin/api ./services/api
	$(GOBUILD) -o bin/worker ./services/worker
	$(GOBUILD) -o bin/embedded ./services/embedded

test: ## run all tests, with real PostgreSQL and Redis (installed where missing; NO_INSTALL=1 only says how)
	@./tests/install.sh
	@go build -o bin/with-servers ./tests/servers/cmd/with-servers
	@CGO_ENABLED=1 ./bin/with-servers go test -race -timeout 15m ./... \
		&& echo "make test: everything passed" || { echo "make test: FAILED" >&2; exit 1; }

verify: ## check formatting, vet, linters, go.mod, generated files and layers
	@unformatted=$$(gofmt -l $(GO_FOLDERS)) && test -z "$$unformatted" || { echo "not formatted (make fmt):" $$unformatted >&2; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	go mod tidy -diff
	@mkdir -p bin
	@go run ./services/api openapi > bin/openapi.json
	@diff -u services/api/openapi.json bin/openapi.json || { echo "services/api/openapi.json is out of date (make generate)" >&2; exit 1; }
	go test -run '^TestLayers' ./tests
	@echo "make verify: all in order"

bench: ## measure how fast jobs drain and how soon a lone one starts
	@./tests/install.sh
	@go build -o bin/with-servers ./tests/servers/cmd/with-servers
	./bin/with-servers go run ./tests/measure

fmt: ## format the Go files
	@gofmt -l -w $(GO_FOLDERS)

generate: ## write the files that are made from others (services/api/openapi.json)
	@mkdir -p bin
	@go run ./services/api openapi > bin/openapi.json
	@mv bin/openapi.json services/api/openapi.json

clean: ## remove what was built (not your data)
	rm -rf bin
