#!/bin/sh
# Sets up runcu under build/ and runs the main job: a vector addition, from CUDA source to result.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh
setup_build
"$VENV/bin/python" -m runcu run examples/python/add.py
