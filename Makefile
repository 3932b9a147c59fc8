# Everything a person or a machine does here begins with make.

GO ?= go
# The binary knows its commit, where git lets us ask: not in a tarball, nor in another's clone.
STAMP := $(if $(shell git rev-parse --git-dir 2>/dev/null),true,false)

# The toolchain that is installed is the one that is used.
export GOTOOLCHAIN := local

export GOLANGCI_VERSION := v2.15.0
GOLANGCI := .ci/bin/golangci-lint-$(GOLANGCI_VERSION)

WEB_SOURCES := $(shell find web -name node_modules -prune -o -path web/dist -prune -o -path web/client/dist -prune \
	-o -path web/e2e -prune -o -path web/test-results -prune -o -path web/examples -prune -o -name '*.go' -prune -o -type f -print 2>/dev/null)
WEB_INSTALLED := web/node_modules/.package-lock.json

SUITE := cd .ci/tools && $(GO) build -buildvcs=false -o ../bin/suite ./suite && ../bin/suite

# FAULTS="kill -9 of a node,LISTEN cut" injects these alone, WITHOUT=… all but these. BINARY=… breaks another build,
# BESIDE=… puts another one beside it as the second node.
SEED ?= 1
MINUTES ?= 5
PEOPLE ?= 200
VERIFY := cd bench/faults && $(GO) test -count=1 -timeout=0 -run '^TestFaults$$'

# ONLY="go e2e" runs these parts alone; .ci/tools/suite lists them.
ONLY ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build release run test test-security test-deps debian-packages verify-faults verify-upgrade verify-abuse bench bench-publish bench-herd bench-lock bench-capacity soak lint fmt api docs clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: web/dist/index.html ## bin/belfry, front end included
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(STAMP) -ldflags '-s -w' -o bin/belfry .

# The tag, or what of it the commit is called by; VERSION=v1.2.3 calls it otherwise.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

release: web/dist/index.html ## bin/release: tarballs for Linux and macOS, list of parts, checksums [VERSION=v1.2.3]
	cd .ci/tools && $(GO) build -buildvcs=false -o ../bin/release ./release && ../bin/release -version "$(VERSION)" -out ../../bin/release

run: build ## build what is missing, then start the demo
	bin/belfry serve --demo

test: ## install what the tests need (Debian, as root), run them all
	@$(SUITE) $(ONLY)

test-deps: debian-packages $(WEB_INSTALLED) $(GOLANGCI) ## only install what the tests need

debian-packages:
	.ci/deps

test-security: test-deps build ## each requirement of docs/security.md, its tests, and what they came to
	@cd .ci/tools && $(GO) build -buildvcs=false -o ../bin/security ./security && ../bin/security

verify-faults: debian-packages ## break a running server on purpose and balance what came of it [SEED=n] [MINUTES=n]
	@$(VERIFY) -seed $(SEED) -minutes $(MINUTES) -people $(PEOPLE) -only "$(FAULTS)" -without "$(WITHOUT)" \
		-binary "$(abspath $(BINARY))" -beside "$(abspath $(BESIDE))"

# FROM is a tag or a commit.
verify-upgrade: debian-packages ## replace two nodes of an older version under load, forth and back: nothing may be lost [FROM=v1.2.3]
	@older=$$(mktemp -d) && trap 'rm -rf "$$older"' EXIT && git archive "$(FROM)" | tar -x -C "$$older" \
	&& (cd "$$older" && CGO_ENABLED=0 $(GO) build -buildvcs=false -o belfry .) \
	&& (cd bench/faults && $(GO) test -count=1 -timeout=0 -v -run '^TestUpgrade$$' -from "$$older/belfry")

verify-faults-mutants: debian-packages ## break one promise of the sources at a time: each has to be noticed [SEED=n]
	@cd bench/faults && $(GO) run ./mutants -seed $(SEED)

# ARGS="-batch 100" passes flags on; ARGS=-h lists them.
ARGS ?=

verify-abuse: debian-packages ## attack a server in a dozen ways: each has to be refused and counted, the others unharmed [ARGS=-h]
	@cd bench && $(GO) run ./abuse verify $(ARGS)

MEASURE := cd bench && $(GO) run ./measure

bench: debian-packages ## Belfry beside the raw write limit and its peers: medians and ratios [ARGS=-h]
	@dpkg-query -W libnginx-mod-nchan >/dev/null 2>&1 || apt-get install -y -qq --no-install-recommends libnginx-mod-nchan
	@cd bench && $(GO) run ./compare $(ARGS)

bench-publish: debian-packages ## how many notices a second are taken, each durable, and at what cost [ARGS=-h]
	@$(MEASURE) publish $(ARGS)

bench-herd: debian-packages ## what 5,000 streams do to the database in a rolling restart [ARGS=-h]
	@$(MEASURE) herd $(ARGS)

bench-lock: debian-packages ## how long after a lock on one node another one refuses [ARGS=-h]
	@$(MEASURE) lock $(ARGS)

bench-capacity: debian-packages ## how many streams and notices a second fit on this machine, within bounds [ARGS=-h]
	@cd bench && $(GO) run ./capacity find $(ARGS)

# An hour where nothing is said: what grows slowly does not show in less.
soak: debian-packages ## a moderate load for long: does anything grow, is anything lost [MINUTES=n] [ARGS=-h]
	@cd bench && $(GO) run ./capacity soak -minutes $(if $(filter file,$(origin MINUTES)),60,$(MINUTES)) $(ARGS)

lint: $(GOLANGCI) $(WEB_INSTALLED) ## all that reads the code and does not run it
	@$(SUITE) gofmt tidy tidy-tools tidy-bench lint lint-tools lint-bench web-lint web-types web-format

fmt: $(GOLANGCI) $(WEB_INSTALLED) ## write the code as it is to be written
	$(GOLANGCI) fmt ./...
	npm --prefix web run format

api: $(WEB_INSTALLED) ## write anew what is made of the API's description: web/openapi.json and the types of it
	$(GO) test ./handlers -count=1 -run '^TestKeptDescription$$' -update-description
	cd web && node openapi.mjs write

docs: ## write anew what docs/ is made of code: the settings, and the tests of docs/security.md
	$(GO) test ./config -count=1 -run '^TestPages$$' -update-pages
	cd .ci/tools && $(GO) run ./security -write

clean: ## remove what was built and installed
	rm -rf bin .ci/bin .ci/out web/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete

web/dist/index.html: $(WEB_INSTALLED) $(WEB_SOURCES)
	npm --prefix web run build
	@touch $@

# npm writes this file last: where it is, the installation went to its end.
$(WEB_INSTALLED): web/package.json web/package-lock.json
	PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix web ci --no-audit --no-fund
	@touch $@

$(GOLANGCI):
	GOBIN=$(CURDIR)/.ci/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv .ci/bin/golangci-lint $@
