#!/usr/bin/env bash
# The checks, then every test, on one worker more than there are cores: stories mostly wait. Tests run even when a check fails, and
# pytest has the last word on the page; the exit code is the worse of the two. `make test ARGS="-n 0"` runs them in one process.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH:/usr/sbin:/usr/local/sbin

checked=0
scripts/check.sh || checked=$?
[ $checked = 0 ] || echo "the checks above failed; the tests run all the same"
pytest -n $(($(nproc) + 1)) --dist loadfile --no-loadscope-reorder "$@" || exit $?
exit $checked
