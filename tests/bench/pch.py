"""Precompiled headers: the first source that is compiled with them, and those after it, against the
same without. Sources differ, headers do not. Below one they help: the first never, so they are off
unless asked for; the last column of `sources` is after how many sources they have paid.
"""

import itertools
import os
import statistics
import time

os.environ['CUDA_CACHE_DISABLE'] = '1'

from common import report, skip  # noqa: E402
from runcu.compiler import Program  # noqa: E402

HEADERS = {
    'fp16': 'cuda_fp16.h',
    'cooperative_groups': 'cooperative_groups.h',
    'cub': 'cub/block/block_reduce.cuh',
}
ROUNDS = 4
seeds = itertools.count(os.getpid() * 1000)


def milliseconds(header, *options):
    """Of a new source; None if it does not compile."""
    text = f'#include <{header}>\n__global__ void k(float *x) {{ *x += {next(seeds)}.5f; }}'
    start = time.perf_counter()
    program = Program(text, arch='sm_80', options=options, no_cache=True)
    taken = (time.perf_counter() - start) * 1e3
    return taken if program.succeeded else None


def main():
    for name, header in HEADERS.items():
        if milliseconds(header) is None:
            skip(f'pch.{name}', f'{header} is not there or does not compile')
            continue
        first, plain, after = milliseconds(header, '--pch'), [], []
        for _ in range(ROUNDS):
            plain.append(milliseconds(header))
            after.append(milliseconds(header, '--pch'))
        without, later = statistics.median(plain), statistics.median(after)
        report(f'pch.{name}.first', first, 'ms', first / without)
        report(f'pch.{name}.later', later, 'ms', later / without)
        if later < without:
            report(f'pch.{name}.paid', 1 + (first - without) / (without - later), 'sources')


if __name__ == '__main__':
    main()
