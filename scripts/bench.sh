#!/usr/bin/env bash
# One benchmark by its name with its options, or, without a name, the two that tell how fast a warning fans out.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = voice ]; then scripts/setup.sh bench; else scripts/setup.sh figures; fi
if [ $# -gt 0 ]; then exec .venv/bin/python -m benchmarks "$@"; fi
for name in bulk single; do .venv/bin/python -m benchmarks $name; done
