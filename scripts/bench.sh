#!/usr/bin/env bash
# One benchmark by its name with its options, or, without a name, the two that tell how fast a warning fans out.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
voice) scripts/setup.sh bench ;;
peers) scripts/setup.sh peers ;;
speakers | receipts | workers) scripts/setup.sh test "chromium fonts axe" && scripts/setup.sh figures ;;
*) scripts/setup.sh figures ;;
esac
if [ $# -gt 0 ]; then exec .venv/bin/python -m benchmarks "$@"; fi
for name in bulk single; do .venv/bin/python -m benchmarks $name; done
