# make package   deb and rpm for amd64 and arm64, into dist/
# make release   the same, static tarballs, for each an SBOM (CycloneDX), and SHA256SUMS
PACKAGES ?= dist
ARCHS    ?= amd64 arm64

.PHONY: package release

package release: $(BIN)/nfpm
	VERSION='$(VERSION)' LDFLAGS='$(LDFLAGS)' GO='$(GO)' NFPM='$(BIN)/nfpm' SBOM='$(SBOM)' scripts/package '$(PACKAGES)' $(ARCHS)

release: $(BIN)/cyclonedx-gomod
release: SBOM = $(BIN)/cyclonedx-gomod

$(BIN)/cyclonedx-gomod: tools/go.mod
	$(GO) build -C tools -o $@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

$(BIN)/nfpm: tools/go.mod
	$(GO) build -C tools -o $@ github.com/goreleaser/nfpm/v2/cmd/nfpm
