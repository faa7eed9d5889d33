#!/bin/sh
# Everything on a machine with a GPU, in one go: build, C tests, Python tests on both devices,
# examples, benchmarks; a short table last. Needs Python with NumPy, pytest, meson and ninja, a C
# compiler and NVRTC, but no network. A part that fails is named, and the others still run; the exit
# status counts them. Logs go to $OUT, else to build/gpu-logs.
set -u
cd "$(dirname "$0")/../.."
LOGS=${OUT:-$PWD/build/gpu-logs}
TABLE=$LOGS/table.txt
PREFIX=$PWD/build/gpu-prefix
PYTHON=${PYTHON:-python3}
PATH=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("scripts"))'):$PATH
RUNCU_BUILD=$PWD/build/gpu
RUNCU_CACHE_DIR=$PWD/build/gpu-cache
export PATH RUNCU_BUILD RUNCU_CACHE_DIR
unset RUNCU_DEVICE
mkdir -p "$LOGS/junit" build
: >"$TABLE"
failed=0
begin=$(date +%s)

# part NAME COMMAND...: runs it; its output goes to NAME.log, one row to the table.
part() {
    name=$1 word=ok start=$(date +%s)
    shift
    "$@" >"$LOGS/$name.log" 2>&1 || word="failed:$?"
    [ "$word" = ok ] || failed=$((failed + 1))
    printf '%-14s %-10s %4s s  %s\n' "$name" "$word" $(($(date +%s) - start)) "$(summary)" |
        tee -a "$TABLE"
}

# The line of a part's log that says most.
summary() {
    case $name in
    c-tests) grep -E '^ *(Ok|Fail|Skipped|Timeout):' "$LOGS/$name.log" | tr -s ' \n' ' ' ;;
    *) grep -v '^[[:space:]]*$' "$LOGS/$name.log" | tail -n 1 | cut -c 1-80 ;;
    esac
}

machine() {
    "$PYTHON" -c 'import sys, numpy; print(sys.version, "NumPy", numpy.__version__)'
    gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader) || gpu='no GPU'
    echo "$(nproc) cores, $gpu"
}

build() {
    rm -rf "$RUNCU_BUILD" "$PREFIX"
    meson setup "$RUNCU_BUILD" --prefix "$PREFIX" --libdir lib -Dpython=enabled &&
        ninja -C "$RUNCU_BUILD" && meson install -C "$RUNCU_BUILD" --no-rebuild --quiet &&
        echo "built and installed"
}

# One process a test file, eight at a time.
python_tests() {
    find tests/python tests/lint -name 'test_*.py' | sort | xargs -P 8 -I{} sh -c '
        name=$(basename {} .py)
        timeout -k 10 200 "$0" -m pytest -q -p no:cacheprovider --durations=5 -rfEs \
            --junitxml="$1/junit/$name.xml" {} >"$1/py-$name.log" 2>&1 ||
            { echo "failed: {}"; tail -n 15 "$1/py-$name.log"; }' "$PYTHON" "$LOGS"
    "$PYTHON" tests/bench/count.py "$LOGS/junit" tests/python tests/lint
}

part machine machine
part build build
core=$(find "$PREFIX" -path '*/runcu/_core*.so' 2>/dev/null | head -n 1)
PYTHONPATH=$(dirname "$(dirname "$core")")
export PYTHONPATH
part add-cuda timeout 60 "$PYTHON" -m runcu run --device cuda examples/python/add.py
part add-cpu timeout 60 "$PYTHON" -m runcu run --device cpu examples/python/add.py
part doctor timeout 60 "$PYTHON" -m runcu doctor
part c-tests timeout -k 10 180 meson test -C "$RUNCU_BUILD" --no-rebuild --print-errorlogs
part python-tests python_tests
part benchmarks timeout -k 10 150 "$PYTHON" tests/bench/run.py --build "$RUNCU_BUILD"

echo
grep -E '^[a-z][A-Za-z0-9_.+-]* +([0-9.]+|failed|skipped) ' "$LOGS/benchmarks.log"
echo
echo "== $failed parts failed, $(($(date +%s) - begin)) s; logs in $LOGS"
cat "$TABLE"
exit "$failed"
