#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml and requirements/*.in. They name no package host.
set -eu
cd "$(dirname "$0")/.."
compile() { out=$1; shift
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --output-file "requirements/$out.txt" "$@"; }
[ -x .venv/bin/uv ] || { echo "the lock needs uv in .venv: .venv/bin/python -m pip install uv" >&2; exit 1; }
compile build "$@" requirements/build.in
compile run "$@" pyproject.toml
compile dev "$@" --group dev pyproject.toml
compile local --no-deps "$@" requirements/local.in
