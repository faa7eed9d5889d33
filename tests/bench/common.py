"""What the benchmarks share: one line a case, medians, a C compiler."""

import os
import pathlib
import shutil
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent


def report(name, value, unit, ratio=None):
    """Prints the line of a case: name, value, unit, ratio to what it is compared with (or -)."""
    last = '-' if ratio is None else f'{ratio:.3f}'
    print(f'{name:<40} {value:>12.3f} {unit:<5} {last:>8}', flush=True)


def skip(name, reason):
    """Prints the line of a case that could not be measured here."""
    print(f'{name:<40} {"skipped":>12} {"-":<5} {"-":>8}  # {reason}', flush=True)


def interleave(rounds, *sides):
    """Medians of several measurements taken in turn, so that all meet the same weather."""
    taken = [[] for _ in sides]
    for _ in range(rounds):
        for values, side in zip(taken, sides, strict=True):
            values.append(side())
    return [statistics.median(values) for values in taken]


def compiler():
    """The C compiler as an argument list, or None."""
    named = os.environ.get('CC', '').split()
    if named:
        return named
    found = shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')
    return [found] if found else None


def build(source, out, *flags):
    """Compiles one C file of this folder to `out` and returns that; None without a compiler."""
    if not compiler():
        return None
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([*compiler(), '-O2', '-std=gnu11', '-o', out, HERE / source, *flags], check=True)
    return out
