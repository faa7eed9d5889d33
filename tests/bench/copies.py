"""Copies of plain NumPy arrays against the driver's own copies of the same memory, and CuPy's.

All run in this process, in turns, on the same context; medians of GB/s (10⁹ bytes), of 4 KiB also
µs a copy. The ratio is that to the driver's; of the lines that end in "cupy", ours to CuPy's time,
where 1 or less is at least as fast. Use: copies.py [--device cpu|cuda] [--rounds N].
"""

import argparse
import ctypes
import os
import time

import numpy as np
from common import interleave, report, skip

# name, bytes, copies a measurement, rounds
CASES = [('4KiB', 4 << 10, 200, 41), ('1MiB', 1 << 20, 20, 41), ('256MiB', 256 << 20, 1, 11)]


def measured(call, count, total):
    """A measurement of `count` calls that move `total` bytes together: GB/s."""
    def measure():
        start = time.perf_counter()
        for _ in range(count):
            call()
        return total / (time.perf_counter() - start) / 1e9
    return measure


def checked(function, *args):
    """A call of the driver's that raises when it fails."""
    def call():
        code = function(*args)
        if code:
            raise RuntimeError(f'the driver answers {code}')
    return call


def directions(driver, host, back, memory, lib):
    """(name, our copy, the driver's own copy or None) in both directions."""
    address = ctypes.c_uint64(int(memory))
    size = ctypes.c_size_t(host.nbytes)
    there = ctypes.c_void_p(host.ctypes.data), ctypes.c_void_p(back.ctypes.data)
    yield ('htod', lambda: driver.memcpy_htod(memory, host),
           lib and checked(lib.cuMemcpyHtoD_v2, address, there[0], size))
    yield ('dtoh', lambda: driver.memcpy_dtoh(back, memory),
           lib and checked(lib.cuMemcpyDtoH_v2, there[1], address, size))


def cupy_copies(host, back):
    """CuPy's copies in both directions of the same host memory, by name; {} without CuPy."""
    try:
        import cupy
    except ImportError:
        return {}
    array = cupy.empty(host.shape, host.dtype)
    return {'htod': lambda: array.set(host), 'dtoh': lambda: array.get(out=back)}


def against_cupy(case, ours, theirs, count, rounds):
    """Prints both times of a small copy, and the ratio of ours to CuPy's."""
    if theirs is None:
        skip(case, 'no CuPy here')
        return
    theirs()
    mine, other = interleave(rounds, *(measured(call, count, count) for call in (ours, theirs)))
    report(case, 1e-3 / mine, 'us', other / mine)
    report(case + '.theirs', 1e-3 / other, 'us', 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('--rounds', type=int)
    options = parser.parse_args()
    if options.device:
        os.environ['RUNCU_DEVICE'] = options.device
    import runcu.autoinit  # noqa: F401
    from runcu import driver

    is_cpu = 'CPU' in driver.Context.get_device().name()
    lib = None if is_cpu else ctypes.CDLL('libcuda.so.1')
    prefix = 'cpu.' if is_cpu else ''
    for label, size, count, rounds in CASES:
        if is_cpu and size > 1 << 20:
            skip(f'{prefix}copy.*_{label}', 'says nothing on the CPU device')
            continue
        host = np.random.default_rng(1).integers(0, 256, size, np.uint8)
        back = np.ones_like(host)
        memory = driver.mem_alloc(size)
        for name, ours, own in directions(driver, host, back, memory, lib):
            case = f'{prefix}copy.{name}_{label}'
            ours()
            mine = measured(ours, count, count * size)
            if own is None:
                report(case, interleave(options.rounds or rounds, mine)[0], 'GB/s')
                continue
            own()
            fast, plain = interleave(options.rounds or rounds, mine,
                                     measured(own, count, count * size))
            report(case, fast, 'GB/s', fast / plain)
            report(case + '.driver', plain, 'GB/s', 1.0)
            if size <= 4 << 10:
                theirs = cupy_copies(host, np.zeros_like(back)).get(name)
                against_cupy(case + '.cupy', ours, theirs, count, options.rounds or rounds)
        if not np.array_equal(host, back):
            raise RuntimeError(f'{label}: what came back is not what went out')
        memory.free()


if __name__ == '__main__':
    main()
