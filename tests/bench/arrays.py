"""Arrays on a device from Python: what an operator costs, and how fast large arrays go.

Medians of microseconds. The ratio of a small operation is that to its steps by hand: allocating,
launching, freeing; that of a large one is to a copy on the device that moves as many bytes.
Use: arrays.py [--device cpu|cuda] [--rounds N].
"""

import argparse
import os
import timeit

from common import interleave, report

COUNT = 1000
MIB = 1 << 20


def timed(statement, names):
    timer = timeit.Timer(statement, globals=names)
    return lambda: timer.timeit(COUNT) / COUNT * 1e6


def small(prefix, rounds, gpuarray, driver, tools):
    """An operator on 1024 float32: beside mem_alloc's memory, that of a pool."""
    import numpy as np

    def by_hand(allocate):
        memory = allocate(4096)
        launch((4, 1), (256, 1, 1), memory, names['a'].gpudata, 1024)
        return memory

    host = np.arange(1024, dtype=np.float32)
    pool = tools.DeviceMemoryPool()
    from runcu.elementwise import get_elwise_kernel

    launch = get_elwise_kernel('float *z, float *x', 'z[i] = x[i]').prepared_call
    names = {'a': gpuarray.to_gpu(host), 'p': gpuarray.to_gpu(host, pool.allocate),
             'by_hand': by_hand, 'plain': driver.mem_alloc, 'pooled': pool.allocate}
    for case, step in (('a + a', 'plain'), ('2 * a', 'plain'), ('p + p', 'pooled')):
        name = {'a + a': 'add_1Ki', '2 * a': 'scale_1Ki', 'p + p': 'add_1Ki_pool'}[case]
        mine, floor = interleave(rounds, timed(case, names), timed(f'by_hand({step})', names))
        report(f'{prefix}array.{name}', mine, 'us', mine / floor)
    report(f'{prefix}array.slice', *interleave(rounds, timed('a[1:5]', names)), 'us')
    driver.Context.synchronize()


def on_device(driver, action):
    """What gives the device's microseconds of a call."""
    start, end = driver.Event(), driver.Event()

    def measure():
        start.record()
        action()
        end.record().synchronize()
        return start.time_till(end) * 1e3

    action()
    return measure


def large(prefix, rounds, gpuarray, driver, n):
    """Operations on n float32, each with the bytes that it reads and writes."""
    import numpy as np

    a, b, c = (gpuarray.ones(n, np.float32) for _ in range(3))
    square, turned = a.reshape(-1, 1024), c.reshape(1024, -1)
    source, target = driver.mem_alloc(6 * n), driver.mem_alloc(6 * n)
    cases = {
        'add': (lambda: gpuarray.GPUArray.__iadd__(c, b), 12),
        'add_misaligned': (lambda: gpuarray.GPUArray.__iadd__(c[1:], b[:-1]), 12),
        'maximum_of_number': (lambda: gpuarray.maximum(a, 2, out=c), 8),
        'transpose': (lambda: turned.__setitem__(..., square.T), 8),
        'sum': (lambda: gpuarray.sum(a), 4),
        'fill': (lambda: c.fill(3), 4),
    }
    for name, (action, each) in cases.items():
        count = n * each // 2
        floor = on_device(driver, lambda count=count: driver.memcpy_dtod_async(
            target, source, count))
        mine, copy = interleave(rounds, on_device(driver, action), floor)
        report(f'{prefix}array.{name}_{n // MIB}Mi', mine, 'us', mine / copy)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('--rounds', type=int, default=11)
    options = parser.parse_args()
    if options.device:
        os.environ['RUNCU_DEVICE'] = options.device
    import runcu.autoinit  # noqa: F401
    from runcu import driver, gpuarray, tools

    is_cpu = driver.Context.get_device().is_cpu
    prefix = 'cpu.' if is_cpu else ''
    small(prefix, options.rounds, gpuarray, driver, tools)
    large(prefix, options.rounds, gpuarray, driver, MIB if is_cpu else 64 * MIB)


if __name__ == '__main__':
    main()
