#!/bin/sh
# Sets up runcu under build/ and runs every test, those in C included.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh
setup_build test
setup_c
setup_cuda12
meson test -C build/c --no-rebuild --print-errorlogs --timeout-multiplier 4
exec "$VENV/bin/python" -m pytest -q "$@"
