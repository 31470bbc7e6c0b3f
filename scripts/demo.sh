#!/usr/bin/env bash
# Builds Hostler and runs the quickstart of the hosted documentation on it. Needs Rust and nothing else.
#
#   scripts/demo.sh                            a model that follows a script, no key needed
#   ANTHROPIC_API_KEY=… scripts/demo.sh        Claude
#   OPENAI_BASE_URL=http://127.0.0.1:11434/v1 OPENAI_MODEL=qwen3:8b scripts/demo.sh
#
# What follows the name of this script goes to `hostler demo`; see `hostler demo --help`.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --package hostler-server
exec "${CARGO_TARGET_DIR:-target}/release/hostler" demo "$@"
