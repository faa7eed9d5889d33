"""Compiles the kernels of features.py with NVRTC; ptxcheck parses, checks and prints the PTX.

Use: corpus.py --checker build/tests/ptx/ptxcheck [--tenth]

Every kernel is compiled for each target from the lowest it is written for, with and without
-lineinfo. All must compile; of the PTX every file must parse, every instruction match a form of
insn.def, and every print have the tokens of the file.
Exits 77 where there is no NVRTC that carries its headers (13.3 and newer do).
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from features import Feature, features, tenth

SKIPPED = 77


def find_nvrtc() -> Path | None:
    """NVRTC of the pip wheels, newest CUDA first."""
    roots = [Path(p) / 'nvidia' for p in sys.path]
    found = [
        lib for root in roots for lib in root.glob('*/lib/libnvrtc.so.*') if 'alt' not in lib.name
    ]
    return max(found, key=lambda lib: lib.parts[-3:], default=None)


class Nvrtc:
    """The functions of NVRTC that compiling to PTX takes."""

    def __init__(self, path: Path) -> None:
        for builtins in path.parent.glob('libnvrtc-builtins.so.*'):
            ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
        self.lib = ctypes.CDLL(str(path))

    def version(self) -> tuple[int, int]:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.lib.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return major.value, minor.value

    def text(self, what: str, program: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        getattr(self.lib, f'nvrtcGet{what}Size')(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(self.lib, f'nvrtcGet{what}')(program, buffer)
        return buffer.value

    def compile(self, source: str, options: list[str]) -> tuple[bool, bytes]:
        """Whether it compiled, and the PTX or the log."""
        program = ctypes.c_void_p()
        name = b'/source/kernel.cu'
        self.lib.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name, 0, None, None)
        array = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
        good = self.lib.nvrtcCompileProgram(program, len(options), array) == 0
        text = self.text('PTX' if good else 'ProgramLog', program)
        self.lib.nvrtcDestroyProgram(ctypes.byref(program))
        return good, text


class Worker:
    """What a process needs to compile one feature."""

    def __init__(self, nvrtc: Path, folder: Path, include: list[str]) -> None:
        self.nvrtc = nvrtc
        self.folder = folder
        self.include = include
        self.library: Nvrtc | None = None

    def __call__(self, job: tuple[Feature, int, bool]) -> tuple[str, str]:
        """The PTX file's path, or "" and what went wrong."""
        feature, arch, lines = job
        self.library = self.library or Nvrtc(self.nvrtc)
        options = [f'--gpu-architecture=compute_{arch}', '-default-device']
        options += [f'--use-bundled-headers={self.folder / "headers"}']
        options += [f'--include-path={p}' for p in self.include] + list(feature.options)
        if lines and '-lineinfo' not in options and '-G' not in options:
            options.append('-lineinfo')
        good, text = self.library.compile(feature.source, options)
        if not good:
            return (
                '',
                f'{feature.name}, {arch}: {text.decode(errors="replace")[:400]}',
            )
        file = self.folder / f'{feature.name}.{arch}{".lines" if lines else ""}.ptx'
        file.write_bytes(text)
        return str(file), ''


worker: Worker


def start(w: Worker) -> None:
    global worker
    worker = w


def work(job: tuple[Feature, int, bool]) -> tuple[str, str]:
    return worker(job)


def headers_missing(include: list[str], source: str) -> bool:
    """curand_kernel.h is in none of NVRTC's own headers, only in a wheel of its own."""
    return '<curand_kernel.h>' in source and not any(
        (Path(p) / 'curand_kernel.h').exists() for p in include
    )


def run(args: argparse.Namespace, nvrtc: Path, folder: Path) -> int:
    include = args.include + [
        str(p) for root in sys.path for p in Path(root).glob('nvidia/*/include')
    ]
    chosen = tenth() if args.tenth else features()
    left_out = [f.name for f in chosen if headers_missing(include, f.source)]
    targets = [int(a) for a in args.targets.split(',')]
    jobs = [
        (f, a, lines)
        for f in chosen
        for a in targets
        if a >= f.arch
        for lines in (False, True)
        if f.name not in left_out
    ]
    first = Worker(nvrtc, folder, include)
    first(jobs[0])  # unpacks the headers, once
    first.library = None
    began = time.monotonic()
    with multiprocessing.get_context('spawn').Pool(args.jobs, start, (first,)) as pool:
        results = pool.map(work, jobs, chunksize=4)
    errors = [error for file, error in results if error]
    files = [file for file, error in results if not error]
    print(*errors, sep='\n', end='\n' if errors else '')
    compiled = time.monotonic()
    check = subprocess.run(
        [args.checker, '--strict', '-'], input='\n'.join(files), text=True, check=False
    )
    kinds = len({f.kind for f in chosen})
    print(
        f'{len(chosen)} features of {kinds} kinds, {len(files)} files: '
        f'compiled in {compiled - began:.1f} s, checked in {time.monotonic() - compiled:.1f} s'
    )
    if left_out:
        print(f'left out, their headers are not installed: {" ".join(left_out)}')
    return 1 if errors or check.returncode else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--checker', required=True, help='the ptxcheck program')
    parser.add_argument(
        '--tenth', action='store_true', help='a fixed tenth of the kernels, of every kind'
    )
    parser.add_argument(
        '--targets', default='75,80,90', help='architectures (default: %(default)s)'
    )
    parser.add_argument(
        '--jobs', type=int, default=os.cpu_count() or 1, help='processes (default: %(default)s)'
    )
    parser.add_argument(
        '--include', action='append', default=[], help='a further folder of headers'
    )
    parser.add_argument('--keep', type=Path, help='leave the PTX files in this folder')
    args = parser.parse_args()
    nvrtc = find_nvrtc()
    if not nvrtc:
        print('there is no NVRTC in the Python path: install nvidia-cuda-nvrtc')
        return SKIPPED
    if Nvrtc(nvrtc).version() < (13, 3):
        print(f'{nvrtc} does not carry its headers: that takes nvidia-cuda-nvrtc>=13.3')
        return SKIPPED
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        return run(args, nvrtc, args.keep)
    with tempfile.TemporaryDirectory() as folder:
        return run(args, nvrtc, Path(folder))


if __name__ == '__main__':
    sys.exit(main())
