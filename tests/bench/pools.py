"""Allocating and freeing device memory from Python: by a pool, and by the driver.

Medians of microseconds for one block of 1000 bytes allocated and freed; the ratio is that to
mem_alloc. Use: pools.py [--device cpu|cuda] [--rounds N].
"""

import argparse
import os
import timeit

from common import interleave, report

COUNT = 2000


def timed(statement, names):
    timer = timeit.Timer(statement, globals=names)
    return lambda: timer.timeit(COUNT) / COUNT * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('--rounds', type=int, default=21)
    options = parser.parse_args()
    if options.device:
        os.environ['RUNCU_DEVICE'] = options.device
    import runcu.autoinit  # noqa: F401
    from runcu import driver, tools

    names = {'allocate': tools.DeviceMemoryPool().allocate, 'mem_alloc': driver.mem_alloc}
    prefix = 'cpu.' if 'CPU' in driver.Context.get_device().name() else ''
    pool, plain = interleave(options.rounds, timed('allocate(1000).free()', names),
                             timed('mem_alloc(1000).free()', names))
    report(prefix + 'pool.alloc_free', pool, 'us', pool / plain)
    report(prefix + 'pool.mem_alloc_free', plain, 'us', 1.0)


if __name__ == '__main__':
    main()
