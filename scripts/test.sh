#!/usr/bin/env bash
# The checks, then every test. Tests run even when a check fails, and pytest has the last word on the page; the exit code is the
# worse of the two.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH:/usr/sbin:/usr/local/sbin

checked=0
scripts/check.sh || checked=$?
[ $checked = 0 ] || echo "the checks above failed; the tests run all the same"
pytest "$@" || exit $?
exit $checked
