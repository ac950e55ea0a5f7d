# What tools/ has for make: the dashboards and the comparison with
# blackbox_exporter, each a module of its own, so that hmad itself is built
# without Grafana's and Prometheus' libraries.
.PHONY: dashboards generate-dashboards

# Every query parsed, and evaluated by a real Prometheus over a demo. Not from
# the cache of results: that does not know of files outside the module.
dashboards: deps $(BIN)/staticcheck
	cd tools/dashboards && $(GO) vet ./... && $(BIN)/staticcheck ./... && $(GO) test -count=1 -timeout 3h ./...

generate-dashboards:
	cd tools/dashboards && $(GO) run .

test: dashboards
generate: generate-dashboards

# CPU per probe beside blackbox_exporter's, which its module pins: both ask one
# TLS server on loopback.
.PHONY: bench-blackbox lint-blackbox

bench-blackbox: build $(BIN)/blackbox_exporter
	cd tools/blackbox && $(GO) run . -hmad $(BIN)/hmad -blackbox $(BIN)/blackbox_exporter

$(BIN)/blackbox_exporter: tools/blackbox/go.mod
	CGO_ENABLED=0 $(GO) build -C tools/blackbox -o $@ github.com/prometheus/blackbox_exporter

lint-blackbox: $(BIN)/staticcheck
	cd tools/blackbox && $(GO) vet ./... && $(BIN)/staticcheck ./...

lint: lint-blackbox
