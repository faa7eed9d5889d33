"""Runs every benchmark there is and prints one line a case: name, value, unit, ratio.

Use: run.py [--build FOLDER] [--device cpu|cuda] [NAME...]; FOLDER is a meson build of the C
library, build/c if nothing is said. A benchmark that fails is a line too, and the others still run;
nothing here is a test, so the exit status is 0.
"""

import argparse
import os
import pathlib
import subprocess
import sys

from common import HERE, ROOT

SHARED = {'common.py', 'count.py', 'run.py'}
LIBRARIES = {'cpu_native.c', 'floor.c'}


def python(path):
    return [sys.executable, str(path)]


def binary(path, folder):
    """The program that meson makes of a C benchmark."""
    found = folder / 'tests' / 'bench' / f'bench_{path.stem}'
    if not found.exists():
        raise RuntimeError(f'{found} is not built')
    return [str(found)]


def benchmarks(names):
    """The files to run, scripts first; a name stands for all that start with it."""
    found = [path for suffix in ('.py', '.c') for path in sorted(HERE.glob(f'*{suffix}'))]
    return [path for path in found if path.name not in SHARED | LIBRARIES
            and (not names or any(path.stem.startswith(name) for name in names))]


def run(path, folder, environment):
    try:
        command = python(path) if path.suffix == '.py' else binary(path, folder)
        done = subprocess.run(command, cwd=HERE, env=environment, timeout=300)
        if done.returncode:
            raise RuntimeError(f'exit status {done.returncode}')
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        print(f'{path.stem:<40} {"failed":>12} {"-":<5} {"-":>8}  # {error}', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', type=pathlib.Path, default=ROOT / 'build' / 'c')
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('names', nargs='*')
    options = parser.parse_args()
    environment = dict(os.environ, CUDA_CACHE_DISABLE='1')
    if options.device:
        environment['RUNCU_DEVICE'] = options.device
    packages = next((path for path in sys.path if os.path.isdir(os.path.join(path, 'nvidia'))), '')
    environment.setdefault('RUNCU_TEST_PACKAGES', packages)
    library = options.build.resolve() / 'src' / 'libruncu-cpu.so'
    if library.exists():
        environment.setdefault('RUNCU_CPU_LIBRARY', str(library))
    worker = options.build.resolve() / 'src' / 'runcu-worker'
    if worker.exists():
        environment.setdefault('RUNCU_WORKER', str(worker))
    for path in benchmarks(options.names):
        run(path, options.build.resolve(), environment)


if __name__ == '__main__':
    main()
