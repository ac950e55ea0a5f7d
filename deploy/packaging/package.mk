# make package   deb and rpm for amd64 and arm64, into dist/
PACKAGES ?= dist
ARCHS    ?= amd64 arm64

.PHONY: package

package: $(BIN)/nfpm
	VERSION='$(VERSION)' LDFLAGS='$(LDFLAGS)' GO='$(GO)' NFPM='$(BIN)/nfpm' scripts/package '$(PACKAGES)' $(ARCHS)

$(BIN)/nfpm: tools/go.mod
	$(GO) build -C tools -o $@ github.com/goreleaser/nfpm/v2/cmd/nfpm
