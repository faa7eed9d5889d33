# Read by examples/run.sh and tests/run.sh: what must be there before anything can run.
# As root, missing system packages are installed; otherwise they are named. Everything else goes
# into a virtual environment under build/. A second run finds all of it in place.
VENV=$PWD/build/venv
PREFIX=$PWD/build/prefix

# need COMMAND PACKAGE: notes the Debian package of a missing command.
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }

# What nothing works without.
find_needed() {
    missing=
    command -v cc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 || need gcc gcc
    need objcopy binutils
    need python3 python3
    if command -v python3 >/dev/null 2>&1; then
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
            echo "runcu needs Python 3.10 or newer; this is $(python3 --version)" >&2
            exit 1
        }
    fi
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
    python3 - 2>/dev/null <<'PY' || missing="$missing python3-dev"
import os, sysconfig
raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_paths()['include'], 'Python.h')))
PY
    [ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
}

# What some tests need, which skip where it is missing.
find_wanted() {
    need c++ g++
    need pkg-config pkg-config
    need git git
    [ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
}

setup_system() {
    find_needed
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        find_wanted
        [ -n "$missing" ] || return 0
        export DEBIAN_FRONTEND=noninteractive
        # shellcheck disable=SC2086
        { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } \
            >build/apt.log 2>&1 || { cat build/apt.log >&2; exit 1; }
        find_needed
    fi
    [ -z "$missing" ] || {
        echo "runcu needs these packages (Debian's names):$missing" >&2
        exit 1
    }
}

# What was built elsewhere, or by another Python, knows places that are no longer right.
setup_place() {
    place="$PWD $(python3 -c 'import sys; print(sys.base_prefix, sys.version)')"
    [ "$(cat build/place 2>/dev/null)" = "$place" ] && return 0
    rm -rf build/venv build/python build/c build/stamp
    echo "$place" >build/place
}

# setup_build [EXTRA]: the virtual environment with runcu in it, built from this tree.
setup_build() {
    mkdir -p build
    setup_system
    setup_place
    [ -x "$VENV/bin/pip" ] || python3 -m venv "$VENV"
    PATH=$VENV/bin:$PATH
    export PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
    extras=cuda13${1:+,$1}
    sum=$(tree_sum)
    case "$(cat build/stamp 2>/dev/null)" in "$sum $extras"*) return 0 ;; esac
    rm -f build/stamp
    pip install -q 'pip>=23.1' 'meson-python>=0.17' 'meson>=1.3' ninja 'numpy>=2.0'
    pip install -q --no-build-isolation -Cbuild-dir=build/python ".[$extras]"
    echo "$sum $extras" >build/stamp
}

# The wheels of the extra cuda12, the compiler as old as it allows, in a folder of their own: they
# cannot stand beside CUDA 13's. What needs them skips where they cannot be had.
setup_cuda12() {
    RUNCU_TEST_CUDA12=$PWD/build/cuda12
    [ -e "$RUNCU_TEST_CUDA12/complete" ] || {
        rm -rf "$RUNCU_TEST_CUDA12"
        pip install -q --no-deps --target "$RUNCU_TEST_CUDA12" 'nvidia-cuda-nvrtc-cu12==12.4.*' \
            'nvidia-cuda-runtime-cu12==12.4.*' 'nvidia-cuda-cccl-cu12>=12.9' \
            >build/cuda12.log 2>&1 && touch "$RUNCU_TEST_CUDA12/complete" || {
            echo "the tests of CUDA 12 skip: build/cuda12.log says why" >&2
            return 0
        }
    }
    export RUNCU_TEST_CUDA12
}

# The C library and its tests in build/c, to be installed in build/prefix.
setup_c() {
    [ -f build/c/build.ninja ] || {
        rm -rf build/c
        abi=auto
        command -v c++ >/dev/null 2>&1 && abi=enabled
        meson setup build/c --prefix "$PREFIX" --libdir lib -Dpython=disabled \
            -Dabi_headers=$abi >build/c.log 2>&1 || { cat build/c.log >&2; exit 1; }
    }
    ninja -C build/c >build/c.log 2>&1 || { tail -n 60 build/c.log >&2; exit 1; }
}

# Changes whenever a file that goes into the build does.
tree_sum() {
    find pyproject.toml meson.build meson.options include src kernels pymodule -type f \
        ! -name '*.pyc' -exec cksum {} + | sort | cksum
}
