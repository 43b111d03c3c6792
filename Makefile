# The front door. Meson builds; tools/bootstrap installs what is missing; tests/run runs everything.
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
GROUPS ?= build run test
# Where `make run` keeps its content, and where it listens.
DATA ?= data
LISTEN ?= localhost:5000
MINUTES ?= 10
# Bytes of input for each fuzz target, instead of MINUTES; KEEP=yes makes new finds seeds.
BYTES ?=
KEEP ?=
ROUNDS ?= 1000
STATES ?= 4000
SUITE ?=
BENCH ?=
QUICK ?=

# Without dpkg-dev, Meson takes lib64 on Debian, where neither pkg-config nor the linker looks.
LIBDIR = $(if $(wildcard /etc/debian_version),--libdir=lib)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := all
# Parts of the build are Ninja's to run side by side.
.NOTPARALLEL:

all: ## build build/berth
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --buildtype=release -Db_ndebug=false -Dtests=false --prefix=$(abspath $(PREFIX))

static: ## build build-static/berth: one file that needs nothing of the system it runs on
	@test -f $(BUILD)-static/build.ninja || meson setup $(BUILD)-static --buildtype=release -Db_ndebug=false \
		-Dtests=false -Dprefer_static=true -Dc_link_args=-static-pie
	@ninja -C $(BUILD)-static berth

deps: ## install what building, running and testing need (GROUPS="build run test bench")
	@tools/bootstrap $(GROUPS)

run: ## install what is missing, build, and serve on localhost:5000
	@tools/bootstrap build run
	@$(MAKE) all
	@exec $(BUILD)/berth serve --data $(DATA) --listen $(LISTEN)

test: ## everything that .ci/run runs
	@tools/bootstrap build test
	@tests/run

test-unit: ## unit and contract tests under ASan and UBSan
	@tests/run unit

test-integration: ## real clients against the server under ASan and UBSan
	@tests/run integration

hostile: ## malformed requests compared with a real nginx, attackers by the thousand, all at full size; release build
	@tools/bootstrap build test
	@HOSTILE=whole tests/run hostile

soak: all ## mixed load for MINUTES=30 on the plain build and on the one with ASan; plots in tests/hostile/results
	@tools/bootstrap build test
	@tests/run build-asan
	@tests/hostile/soak $(if $(filter command line,$(origin MINUTES)),$(MINUTES),30)

conformance: all ## the official suite, built elsewhere: SUITE=/path/to/binary; ours is part of `make test`
	@test -n '$(SUITE)' || { echo 'make conformance SUITE=/path/to/binary'; exit 2; }
	@tests/conformance/official '$(SUITE)'

fuzz: ## every fuzz target, MINUTES=10 for all together or BYTES=1GiB for each; findings stay in build-test/fuzz-found
	@tests/run fuzz $(if $(BYTES),--bytes $(BYTES),--minutes $(MINUTES)) $(if $(KEEP),--keep)

crash: ## kill -9 ROUNDS=1000 times, and open STATES=4000 remains of a loss of power
	@tools/bootstrap build test
	@CRASH_ROUNDS=$(ROUNDS) CRASH_STATES=$(STATES) tests/run crash

format: ## apply .clang-format
	@find src include tests bench -name '*.[ch]' -print0 | xargs -0 clang-format -i

format-check: ## complain about what `make format` would change
	@find src include tests bench -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror

documents: ## write docs/commands.md anew from the tables of commands in src/cli
documents: all
	@$(BUILD)/berth help --markdown >docs/commands.md

install: ## install below PREFIX (DESTDIR is for packagers)
install: all
	@meson configure $(BUILD) --prefix=$(abspath $(PREFIX)) $(LIBDIR)
	@ninja -C $(BUILD)
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD) --no-rebuild
	@# What sudo wrote below BUILD stays its owner's, who wants to build again.
	@[ "$$(id -u)" != 0 ] || chown -R --reference=. $(BUILD)

bench: ## compare with other registries and nginx: BENCH="get push-big" for some rows, QUICK=1 within 4 minutes
bench:
	@tools/bootstrap build bench
	@$(MAKE) all
	@ninja -C $(BUILD) bench/driver
	@bench/run --berth $(BUILD)/berth --driver $(BUILD)/bench/driver $(if $(QUICK),--quick) $(BENCH)
	@$(if $(BENCH),,bench/clients --berth $(BUILD)/berth $(if $(QUICK),--quick))

bench-clients: ## the client's part of it alone: beside crane, oras, regctl, skopeo and curl
	@tools/bootstrap build bench
	@$(MAKE) all
	@bench/clients --berth $(BUILD)/berth $(if $(QUICK),--quick) $(BENCH)

clean: ## remove what was built
	@rm -rf $(BUILD) $(BUILD)-static build-test

reference: ## write the reference of libberth to build/reference
	@tools/reference $(BUILD)/reference
	@echo "$(BUILD)/reference/index.md"

help: ## this list
	@sed -n 's/^\([a-z-]*\): ## /\1\t/p' Makefile | expand -t 20

.PHONY: all static deps run test test-unit test-integration conformance hostile crash fuzz bench bench-clients format format-check documents install clean reference help
