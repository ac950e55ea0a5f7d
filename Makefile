# make demo   build hmad and watch a healthy lab on loopback (installs nothing)
# make demo-alerts   the demo, with whatever of Prometheus, Alertmanager and Grafana is installed
# make test   install what the tests need, then lint and run them all
# make package   deb and rpm into dist/
# make release   the same with tarballs, lists of what is in them (SBOM) and checksums
# make e2e    of make test the long trials alone: the plan at size, paging, the sweep of mailboxes
# make bench  probes, dispatcher, scrape, a day of the state file
# make vuln   known vulnerabilities, where their list can be reached; no part of make test
# make bench-blackbox   CPU per probe, of hmad and of blackbox_exporter
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)
BIN     := $(CURDIR)/bin

.PHONY: all build demo demo-alerts test deps lint unit e2e fuzz bench vuln generate clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/hmad ./cmd/hmad

demo: build
	$(BIN)/hmad demo

demo-alerts: build
	@HMAD=$(BIN)/hmad scripts/demo-alerts

test: deps lint unit e2e
	@scripts/untested

deps:
	@scripts/test-deps

lint: $(BIN)/staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'not gofmt-clean:'; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet -tags e2e ./...
	$(BIN)/staticcheck -tags e2e ./...

$(BIN)/staticcheck: tools/go.mod
	$(GO) build -C tools -o $@ honnef.co/go/tools/cmd/staticcheck

# No limit is one that a busy machine can miss: these end what has stopped.
unit:
	CGO_ENABLED=1 $(GO) test -race -timeout 3h ./...

# The trials that take many minutes or measure something, one after the other:
# what the plan promises of 100,000 mailboxes; every fault to its one page through
# a real Prometheus and Alertmanager, and a restart of that Prometheus; the sweep's rate, memory and ten kills.
E2E = CGO_ENABLED=0 $(GO) test -tags e2e -count=1 -timeout 12h -v
e2e: deps
	$(E2E) -run 'TestWhatThePlanPromises|TestThePromisesHold|TestTheTable' ./internal/sync/simulate
	$(E2E) -run 'TestEveryFaultPagesOnce|TestARestartOfPrometheusTellsNothing' ./cmd/hmad
	$(E2E) -run 'TestSweep|TestFleetOf' ./cmd/hmad

# Every fuzz target for FUZZTIME.
FUZZTIME ?= 30s
fuzz:
	scripts/fuzz $(FUZZTIME)

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Not of make test: it needs the network, and its answer changes from day to day.
vuln: $(BIN)/govulncheck
	@scripts/vuln $(BIN)/govulncheck

$(BIN)/govulncheck: tools/go.mod
	$(GO) build -C tools -o $@ golang.org/x/vuln/cmd/govulncheck

generate:
	$(GO) generate ./...

clean:
	rm -rf $(BIN) dist

include deploy/packaging/package.mk tools/tools.mk
