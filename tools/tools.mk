# What tools/ has for make: the dashboards, a module of their own, so that
# hmad itself is built without Grafana's and Prometheus' libraries.
.PHONY: dashboards generate-dashboards

# Every query parsed, and evaluated by a real Prometheus over a demo. Not from
# the cache of results: that does not know of files outside the module.
dashboards: deps $(BIN)/staticcheck
	cd tools/dashboards && $(GO) vet ./... && $(BIN)/staticcheck ./... && $(GO) test -count=1 -timeout 10m ./...

generate-dashboards:
	cd tools/dashboards && $(GO) run .

test: dashboards
generate: generate-dashboards
