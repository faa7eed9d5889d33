# Read by examples/run.sh and tests/run.sh: what must be there before anything can run.
# As root, missing system packages are installed; otherwise they are named. Everything else goes into a virtual
# environment under build/. A second run finds all of it in place.
VENV=$PWD/build/venv

# need COMMAND PACKAGE: notes the Debian package of a missing command.
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }

find_system() {
    missing=
    need cc gcc
    need c++ g++
    need pkg-config pkg-config
    need python3 python3
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
    python3 - 2>/dev/null <<'PY' || missing="$missing python3-dev"
import os, sysconfig
raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_paths()['include'], 'Python.h')))
PY
    printf '#include <stdlib.h>\n' | cc -E - >/dev/null 2>&1 || missing="$missing libc6-dev"
}

setup_system() {
    find_system
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $missing >build/apt.log 2>&1 ||
            { cat build/apt.log >&2; exit 1; }
        find_system
        [ -n "$missing" ] || return 0
    fi
    echo "runcu needs these packages (Debian's names):$missing" >&2
    exit 1
}

# setup_build [EXTRA]: the virtual environment with runcu in it, built from this tree.
setup_build() {
    mkdir -p build
    setup_system
    [ -x "$VENV/bin/pip" ] || python3 -m venv "$VENV"
    PATH=$VENV/bin:$PATH
    export PATH PIP_DISABLE_PIP_VERSION_CHECK=1
    extras=cuda13${1:+,$1}
    stamp=build/stamp-$extras
    sum=$(tree_sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return 0
    pip install -q 'meson-python>=0.17' 'meson>=1.3' ninja 'numpy>=2.0'
    pip install -q --no-build-isolation -Cbuild-dir=build/python ".[$extras]"
    rm -f build/stamp-*
    echo "$sum" >"$stamp"
}

# The C library and its tests, in build/c.
setup_c() {
    [ -f build/c/build.ninja ] ||
        meson setup build/c -Dpython=disabled -Dabi_headers=enabled --wipe >build/c.log 2>&1 ||
        meson setup build/c -Dpython=disabled -Dabi_headers=enabled >build/c.log 2>&1 ||
        { cat build/c.log >&2; exit 1; }
    ninja -C build/c >build/c.log 2>&1 || { tail -n 60 build/c.log >&2; exit 1; }
}

# Changes whenever a file that goes into the build does.
tree_sum() {
    find pyproject.toml meson.build meson.options include src kernels pymodule -type f ! -name '*.pyc' \
        -exec cksum {} + | sort | cksum
}
