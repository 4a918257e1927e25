#!/bin/sh
# Runs the official Node SDK against a demo Farebox. Without Node it says so, and in CI that is a failure.
set -eu
cd "$(dirname "$0")/../tests/node"
if ! command -v npm >/dev/null; then
  echo "tests/node was NOT run: install Node 20 or newer and npm" >&2
  [ -z "${CI:-}" ]; exit
fi
npm ci --silent --no-audit --no-fund
exec node --test --test-concurrency=1
