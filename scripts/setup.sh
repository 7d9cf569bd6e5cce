#!/usr/bin/env bash
# Make this machine ready:  scripts/setup.sh run|test|figures|peers|bench [without tools…]
#
#   run    .venv with what WarnHub needs to run
#   test   … and what its tests need: development packages, PostgreSQL, Mosquitto, Chromium, Chinese fonts
#   figures  as run, with the nginx and the PostgreSQL that the benchmarks fan out to and write to
#   peers  as figures, with the Redis and the Alertmanager that others are measured on
#   bench  as test, with what hears the voices
#
# What is there already is left alone. Everything said here goes to standard error.
set -euo pipefail
exec 1>&2
cd "$(dirname "$0")/.."

LEVEL=${1:-run}
WITHOUT=" ${2:-} "
VENV=.venv
OLDEST=11 # Python 3.11

say() { printf '\033[2m%s\033[0m\n' "$*"; }

fail() {
    printf '错误 / error: %s\n' "$1"
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@"
    exit 1
}

# ---------------------------------------------------------------- apt

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        fail "this needs root, and there is no sudo" "ask an administrator to run: $*"
    fi
}

# Packages install without starting the services they bring; a policy that is there already is kept.
POLICY=/usr/sbin/policy-rc.d
quiet_services() {
    [ -e $POLICY ] && return
    # shellcheck disable=SC2016
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' > $POLICY && chmod 755 $POLICY"
    trap 'as_root rm -f $POLICY' EXIT
}

UPDATED=
update_lists() {
    [ -n "$UPDATED" ] && return
    command -v apt-get >/dev/null || fail "there is no apt-get here; install by hand: $*" "then run make again"
    say "apt-get update …"
    as_root apt-get -qq update || say "apt-get update failed; going on with the lists that are here"
    UPDATED=yes
}

install_packages() {
    update_lists "$*"
    quiet_services
    say "apt-get install $* …"
    local said
    said=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" 2>&1) || {
        tail -n 15 <<<"$said"
        fail "apt-get could not install: $*" "is there a network, and are the package sources right? Try: apt-get update"
    }
}

# Whether apt knows a package that is more than a pointer to a snap.
real_package() {
    local known
    known=$(apt-cache show "$1" 2>/dev/null) || return 1
    grep -q '^Version:' <<<"$known" && ! grep -qiE '^(Version:.*snap|(Pre-)?Depends:.*snapd)' <<<"$known"
}

# ---------------------------------------------------------------- Python

new_enough() { "$1" -c "import sys; sys.exit(sys.version_info < (3, $OLDEST))" 2>/dev/null; }

find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if command -v "$name" >/dev/null && new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.$OLDEST or newer is needed; here is $(python3 --version 2>/dev/null || echo none)" \
        "on Debian 12 or Ubuntu 24.04: apt-get install python3 python3-venv"
}

make_venv() {
    [ -x $VENV/bin/python ] && new_enough $VENV/bin/python && $VENV/bin/python -m pip --version >/dev/null 2>&1 && return
    local python version
    python=$(find_python)
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        update_lists "$version-venv"
        if real_package "$version-venv"; then install_packages "$version-venv"; else install_packages python3-venv; fi
    fi
    say "$VENV: $("$python" --version)"
    "$python" -m venv $VENV
}

# uv brings its own list of authorities; a machine behind an inspecting proxy has the proxy's in the system's list.
AUTHORITIES=/etc/ssl/certs/ca-certificates.crt
if [ -z "${SSL_CERT_FILE:-}" ] && [ -s $AUTHORITIES ]; then export SSL_CERT_FILE=$AUTHORITIES; fi

NO_NETWORK="is there a network? Behind a proxy set HTTPS_PROXY; with a mirror of your own set PIP_INDEX_URL and UV_DEFAULT_INDEX"

sync_venv() {
    local groups=("$@")
    if ! [ -x $VENV/bin/uv ]; then
        say "uv …"
        $VENV/bin/python -m pip install --quiet --disable-pip-version-check uv || fail "uv could not be installed" "$NO_NETWORK"
    fi
    say "uv sync --frozen ${groups[*]} … (the first time it downloads some hundred MB)"
    # What is not compiled now is compiled by every process again, where Python may not write: seconds, and 100 MB, each time.
    UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=$VENV \
        $VENV/bin/uv sync --quiet --frozen --inexact --python $VENV/bin/python "${groups[@]}" ||
        fail "the locked packages could not be installed" "$NO_NETWORK"
}

# One stamp a level holds a digest of what it was made from; a higher level serves a lower.
digest() { cat uv.lock pyproject.toml scripts/setup.sh | sha256sum | cut -c1-16; }

synced() {
    local level
    for level in "$@"; do
        [ "$(cat "$VENV/.warnhub-$level" 2>/dev/null)" = "$DIGEST" ] && return
    done
    return 1
}

# ---------------------------------------------------------------- what the tests need

wanted() { [[ $WITHOUT != *" $1 "* ]]; }

OLDEST_SERVER=15

newest_server() {
    local folder newest=0
    for folder in /usr/lib/postgresql/*/bin/initdb; do
        folder=${folder#/usr/lib/postgresql/}
        folder=${folder%%/*}
        [[ $folder =~ ^[0-9]+$ ]] && [ "$folder" -gt "$newest" ] && newest=$folder
    done
    echo "$newest"
}

need_postgresql() {
    [ "$(newest_server)" -lt $OLDEST_SERVER ] || return 0
    install_packages postgresql
    [ "$(newest_server)" -ge $OLDEST_SERVER ] ||
        fail "the tests need PostgreSQL $OLDEST_SERVER or newer; apt has $(newest_server)" \
            "install a newer one, or leave its tests out: make test WITHOUT=postgresql"
}

# The carrier that the benchmarks fan out to.
need_nginx() {
    PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx >/dev/null || install_packages nginx-light
}

need_peers() {
    command -v redis-server >/dev/null || install_packages redis-server
    command -v prometheus-alertmanager >/dev/null || command -v alertmanager >/dev/null || install_packages prometheus-alertmanager
}

need_mosquitto() {
    PATH=$PATH:/usr/sbin:/usr/local/sbin command -v mosquitto >/dev/null || install_packages mosquitto
}

need_fonts() {
    [ -n "$(find /usr/share/fonts /usr/local/share/fonts "$HOME/.fonts" -iname '*cjk*' -print -quit 2>/dev/null)" ] || install_packages fonts-noto-cjk
}

# What finds inaccessible pages; used by tests, never shipped.
AXE=axe-core@4.14.1
need_axe() {
    [ -s .tools/axe.min.js ] && return 0
    command -v npm >/dev/null || install_packages npm
    say "$AXE …"
    local place
    place=$(mktemp -d)
    (cd "$place" && npm pack --silent $AXE >/dev/null && tar xzf axe-core-*.tgz package/axe.min.js) ||
        fail "$AXE could not be fetched from the npm registry" "$NO_NETWORK" "or leave that check out: make test WITHOUT=axe"
    mkdir -p .tools
    mv "$place/package/axe.min.js" .tools/axe.min.js
    rm -rf "$place"
}

# Tests ask for `chromium`; a browser under another name gets that name in the environment's bin.
need_chromium() {
    PATH=$PWD/$VENV/bin:$PATH
    works chromium || find_browser
    works playwright || install_packages libatomic1
}

find_browser() {
    local name
    for name in chromium-browser google-chrome google-chrome-stable; do
        if works "$name"; then
            name_browser "$(command -v "$name")"
            return
        fi
    done
    update_lists chromium
    if real_package chromium; then
        install_packages chromium
        return
    fi
    say "apt has no Chromium of its own here (Ubuntu's is a snap); asking Playwright for one …"
    works playwright || install_packages libatomic1
    if as_root "$PWD/$VENV/bin/playwright" install-deps chromium >/dev/null && playwright install chromium >/dev/null; then
        name_browser "$($VENV/bin/python -c 'from playwright.sync_api import sync_playwright as s
with s() as p: print(p.chromium.executable_path)')"
    fi
    works chromium || fail "there is no Chromium for the tests in a browser" \
        "put one on PATH under the name chromium (a .deb of Google Chrome does too), and run make again" \
        "or leave those tests out: make test WITHOUT=chromium"
}

works() { command -v "$1" >/dev/null && timeout 20 "$1" --version >/dev/null 2>&1; }

name_browser() {
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$1" >$VENV/bin/chromium
    chmod 755 $VENV/bin/chromium
}

# ----------------------------------------------------------------

case $LEVEL in
run | figures | peers) serves=(run test bench) groups=(--no-dev) ;;
test) serves=(test bench) groups=(--group dev) ;;
bench) serves=(bench) groups=(--group dev --group bench) ;;
*) fail "scripts/setup.sh run|test|figures|peers|bench, not $LEVEL" ;;
esac

DIGEST=$(digest)
if ! { [ -x $VENV/bin/python ] && synced "${serves[@]}"; }; then
    make_venv
    sync_venv "${groups[@]}"
    echo "$DIGEST" >"$VENV/.warnhub-$LEVEL"
fi
$VENV/bin/python -m compileall -q src adapters
if [ "$LEVEL" = figures ] || [ "$LEVEL" = peers ]; then
    need_nginx
    need_postgresql
fi
if [ "$LEVEL" = peers ]; then need_peers; fi
if [ "$LEVEL" = test ]; then
    for tool in postgresql mosquitto chromium fonts axe; do
        if wanted $tool; then need_$tool; fi
    done
fi
