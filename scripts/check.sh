#!/usr/bin/env bash
# Lint, form, types, who may import whom, and whether the published schemas still say what the code does. Says all that is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH

failed=()
step() {
    local name=$1
    shift
    printf '%-16s' "$name"
    if said=$("$@" 2>&1); then
        echo "ok"
    else
        printf 'failed\n%s\n' "$said"
        failed+=("$name")
    fi
}

step ruff ruff check --quiet .
step "ruff format" ruff format --check --quiet .
step mypy mypy
step import-linter lint-imports
step catalogues python scripts/catalogues.py --check
step contracts python scripts/contracts.py --check

if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}"
    exit 1
fi
