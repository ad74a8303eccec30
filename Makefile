# Every command for work on this project. `make help` lists them, from the comments behind the targets.

.DEFAULT_GOAL := help
.PHONY: help run build test test-quick vet test-go test-client test-browser test-engines test-hosts lint lint-go lint-platforms lint-js lint-workflows lint-chart vulncheck docs pictures bench bench-compare profile soak \
	prepare example-django release-files

# The commit that `writer-presence version` names; empty outside a clone: then it says "unknown".
REVISION ?= $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null)

# The directories of all Go modules but tools.
MODULES = . $(patsubst %/go.mod,%,$(wildcard bench/go.mod examples/*/go.mod))

# golangci-lint at the version that tools/go.mod pins.
GOLANGCI = go tool -modfile="$(CURDIR)/tools/go.mod" golangci-lint

# SQLite's C code, translated to Go, is left out of the race detector, which slows it down most.
# No other package may be: the linker would take its copies of generic functions, those of sync.Map for example,
# which the detector does not follow, and races would be reported where there are none.
#
# All that the tests compile gets these flags, also by the go commands that the tests run, and the server of the browser
# tests: without them everything would be compiled a second time, which takes more than a minute. -pgo=off for the same
# reason: default.pgo (ADR 48) would compile all dependencies of the server again.
vet test-go test-browser test-engines: export GOFLAGS = -race -gcflags=modernc.org/sqlite/lib=-race=false -pgo=off

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

run: ## serve the reference page on http://127.0.0.1:8080/
	go run ./cmd/writer-presence serve --dev

build: ## build one static binary, ./writer-presence
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.revision=$(REVISION)" -o writer-presence ./cmd/writer-presence

# Compiling everything with the race detector and installing what the tests need take minutes each on a new machine.
test: ## run all tests; installs what they need
	@$(MAKE) --no-print-directory -j2 prepare vet
	@$(MAKE) --no-print-directory test-go test-client test-browser

test-quick: ## run the unit tests that need no server: domain, wire, embedded store, client (about a minute)
	@scripts/npm-ci
	@scripts/test-quick

vet: ## run gofmt and go vet
	@files=$$(find . -name node_modules -prune -o -name '*.go' -print | xargs gofmt -l); \
		test -z "$$files" || { echo "$$files"; echo 'run gofmt -w on these files'; exit 1; }
	@for module in $(MODULES); do (set -x; cd $$module && go vet ./...) || exit; done

# redisstore comes first because it takes longest. Three packages at a time on two cores, because it mostly waits.
test-go: vet ## run the Go tests with the race detector, after gofmt and go vet
	@for module in $(MODULES); do \
		(set -x; cd $$module && go test -p 3 -vet=off $$(ls -d ./redisstore 2>/dev/null) ./...) || exit; \
	done

test-client: prepare ## run the client's unit tests, its type check and its size budget
	npm run --silent check
	npm run --silent test:client
	npm run --silent size

test-browser: prepare ## run the browser tests, on one server and on three
	go build -o .build/writer-presence ./cmd/writer-presence
	npm run --silent test:browser
	npm run --silent test:nodes

test-engines: prepare ## run all browser tests in Chromium, Firefox and WebKit; takes about 15 minutes
	go build -o .build/writer-presence ./cmd/writer-presence
	ENGINE=all npm run --silent test:browser

test-hosts: ## run the sites of docs/how-to/hosts in their frameworks, beside the server; installs what they need
	scripts/prepare hosts
	go build -o .build/writer-presence ./cmd/writer-presence
	HOSTS=1 node --test browser/hosts.test.js

lint: lint-go lint-platforms lint-js lint-workflows lint-chart vulncheck ## run all linters; the first run builds them, which takes minutes

lint-go: ## run golangci-lint (with staticcheck) on every Go module
	@for module in $(MODULES); do \
		(set -x; cd $$module && $(GOLANGCI) run ./...) || exit; \
	done

# Not bench, which measures on Linux only.
lint-platforms: ## compile the program, its tests and the examples for macOS and Windows, with go vet
	@for module in $(filter-out bench,$(MODULES)); do for os in darwin windows; do \
		(set -x; cd $$module && GOOS=$$os go vet ./...) || exit; \
	done; done

lint-js: ## run ESLint with types on the JavaScript
	@scripts/npm-ci
	@scripts/npm-ci tools
	tools/node_modules/.bin/eslint --config tools/eslint.config.js --max-warnings 0 client browser internal/admin/page

lint-workflows: ## run actionlint on .github/workflows
	go tool -modfile=tools/actionlint/go.mod actionlint

CHART = deploy/helm/writer-presence
HELM = go tool -modfile=tools/helm/go.mod helm

lint-chart: ## run helm lint, and decode what the chart renders by the types of Kubernetes
	@mkdir -p .build
	@for values in values.yaml ci/nodes-values.yaml; do \
		(set -x; $(HELM) lint --strict $(CHART) -f $(CHART)/$$values && \
		$(HELM) template presence $(CHART) -f $(CHART)/$$values >.build/manifests.yaml && go -C tools/helm run . <.build/manifests.yaml) || exit; \
	done

vulncheck: ## run govulncheck on every Go module, where its database can be reached
	@scripts/vulncheck $(MODULES)

docs: ## write the table of rules and their tests into docs/reference/rules.md
	go run ./internal/rulesdoc

pictures: ## take the pictures of the documents in docs/pictures; installs what it needs
	scripts/prepare pictures
	go build -o .build/writer-presence ./cmd/writer-presence
	node scripts/pictures.js

bench: ## measure the server beside its yardsticks, on two quiet cores of Linux (fifteen minutes); installs what it needs
	scripts/prepare bench
	go -C bench run .

bench-compare: ## measure it in turns with Centrifugo and with Django on PostgreSQL (fifteen minutes, and five to compile Centrifugo once); installs what they need
	scripts/prepare bench
	go -C bench run . compare

# make soak DURATION=2h
DURATION ?= 10m

profile: ## record the profile for profile-guided optimisation, cmd/writer-presence/default.pgo (two minutes)
	go -C bench run . profile

soak: ## check that memory, goroutines and descriptors stay flat in ten minutes of all that happens, or in DURATION=2h
	go -C bench run . -duration $(DURATION) soak

release-files: ## build the archives, packages and SBOMs of a release into .build/release: make release-files VERSION=1.2.3
	scripts/release-files $(VERSION)

prepare: ## install what the tests need, with apt-get and npm
	scripts/prepare

example-django: ## serve a Django site with presence behind nginx; installs what it needs
	scripts/prepare django
	go build -o .build/writer-presence ./cmd/writer-presence
	examples/django/run
