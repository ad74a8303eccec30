# Everything that a developer does here, by name.

.PHONY: run build test test-go test-client test-browser bench prepare example-django

# What `writer-presence version` says of the source; empty where it is no clone: then it says that it is unknown.
REVISION ?= $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null)

run: ## serve the reference page on http://127.0.0.1:8080/
	go run ./cmd/writer-presence serve --dev

build: ## one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.revision=$(REVISION)" -o writer-presence ./cmd/writer-presence

test: prepare test-go test-client test-browser ## everything; installs what it needs

prepare:
	scripts/prepare

test-go:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'these files are not as gofmt has them'; exit 1; }
	go vet ./...
	go test -race ./...
	go -C bench vet ./...
	go -C bench test -race ./...

test-client: prepare
	npm run --silent check
	npm run --silent test:client
	npm run --silent size

test-browser: prepare
	go build -o .build/writer-presence ./cmd/writer-presence
	npm run --silent test:browser
	npm run --silent test:nodes

example-django: ## a Django site with presence, behind nginx; installs what it needs
	scripts/prepare django
	go build -o .build/writer-presence ./cmd/writer-presence
	examples/django/run

bench: ## measure the server beside its yardsticks: about ten minutes on two quiet cores
	go -C bench run .
