# The commands of the project. Needs Rust (rustup.rs); what else a target needs, it installs or explains.

.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# SMOKE=1 runs each benchmark once, to see that it works.
SMOKE ?=

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: compiler ## Build the release binary, target/release/hostler
	cargo build --release --locked --package hostler-server

.PHONY: demo
demo: compiler ## Start a server and watch a session work in it; needs no key
	scripts/demo.sh

.PHONY: test
test: test-rust test-postgres test-sdk test-kills test-overload ## Run all tests, those through the official SDKs too

.PHONY: test-rust
test-rust: compiler nextest engines strace file-systems network-clients package-managers s3 nats
	tests/with-s3 cargo nextest run --workspace --locked

# Whatever keeps something, once more on the second database engine.
KEEPING := package(hostler-store) + (package(hostler-http) & binary(it)) + (package(hostler-server) & test(sessions::))

.PHONY: test-postgres
test-postgres: compiler nextest postgres sdk-clients s3 nats
	tests/with-postgres cargo nextest run --workspace --locked -E "$(KEEPING)"
	tests/with-s3 tests/with-postgres tests/run-sdk-tests --deselect tests/sdk/test_docs.py --deselect tests/sdk/test_mcp_conformance.py

.PHONY: test-sdk
test-sdk: compiler sdk-clients s3
	@# The same selection as above, so that the binary is there already and nothing is built with other features.
	cargo test --workspace --locked --no-run --quiet
	tests/with-s3 tests/run-sdk-tests

# In how many ways the power goes.
CUTS ?= 300

.PHONY: test-power
test-power: compiler nextest strace ## Cut the power of a recorded server (CUTS=10000) and open what is left
	HOSTLER_TEST_POWER_CUTS=$(CUTS) cargo nextest run --workspace --locked -E 'test(power::)' --success-output final

# How many lives are simulated, and which.
SEEDS ?= 300
FIRST_SEED ?= 0

.PHONY: test-simulation
test-simulation: compiler nextest ## Simulate servers by seeds (SEEDS=10000 FIRST_SEED=0) in simulated time
	HOSTLER_TEST_SIMULATION_SEEDS=$(SEEDS) HOSTLER_TEST_SIMULATION_FIRST_SEED=$(FIRST_SEED) \
		cargo nextest run --workspace --locked -E 'test(no_seed_breaks_a_promise)' --success-output final

# How often the server is killed, and what the moments are derived from.
KILLS ?= 40
SEED ?= 1

.PHONY: test-kills
test-kills: compiler ## Kill a server under load (KILLS=1000 SEED=7) and hold it against its clients' books
	@# The selection of the other tests, so that nothing is built again with other features.
	cargo test --workspace --locked --no-run --quiet
	@"$${CARGO_TARGET_DIR:-target}/debug/hostler-bench" kills --kills $(KILLS) --seed $(SEED)

# How long the server is asked for three times what it can take, and how often.
SECONDS_EACH ?= 1
ROUNDS ?= 1

.PHONY: test-overload
test-overload: compiler ## Ask a server for three times what it can take (SECONDS_EACH=5 ROUNDS=4) and judge its refusals
	@# The selection of the other tests, so that nothing is built again with other features.
	cargo test --workspace --locked --no-run --quiet
	@"$${CARGO_TARGET_DIR:-target}/debug/hostler-bench" overload --seconds $(SECONDS_EACH) --rounds $(ROUNDS)

.PHONY: check
check: compiler nextest ## Check format, lints, Rust tests and documentation
	cargo xtask check

.PHONY: bench
bench: compiler ## Run the benchmarks and print their ratios to the floor (SMOKE=1: once)
ifeq ($(SMOKE),)
	@tests/install-tools bubblewrap
	cargo build --release --locked --package hostler-server --package hostler-bench
	@"$${CARGO_TARGET_DIR:-target}/release/hostler-bench"
else
	@# The selection of the tests, so that nothing is built again with other features.
	cargo test --workspace --locked --no-run --quiet
	@"$${CARGO_TARGET_DIR:-target}/debug/hostler-bench" --smoke
endif

.PHONY: bench-rivals
bench-rivals: compiler ## Install other servers from their registries and measure them in the same run
	RIVALS_HOME=target/rivals bench/rivals/install
	cargo build --release --locked --package hostler-server --package hostler-bench
	@"$${CARGO_TARGET_DIR:-target}/release/hostler-bench" rivals --rivals target/rivals

.PHONY: fmt
fmt: ## Format the Rust code
	cargo fmt --all

# What the targets need besides Rust.

.PHONY: compiler
compiler:
	@tests/install-tools compiler

.PHONY: nextest
nextest:
	@tests/install-tools nextest

.PHONY: engines
engines:
	@tests/install-tools engines

.PHONY: postgres
postgres:
	@tests/install-tools postgres

.PHONY: s3
s3:
	@tests/install-tools s3

.PHONY: nats
nats:
	@tests/install-tools nats

.PHONY: strace
strace:
	@tests/install-tools strace

.PHONY: file-systems
file-systems:
	@tests/install-tools file-systems

.PHONY: network-clients
network-clients:
	@tests/install-tools network-clients

.PHONY: package-managers
package-managers:
	@tests/install-tools package-managers

.PHONY: sdk-clients
sdk-clients:
	@tests/install-tools sdk-clients
