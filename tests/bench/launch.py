"""Launches of an empty kernel from Python against the same launches from C on the bare driver.

Both sides run in this process, in turns, on the same context; medians of microseconds a launch. The
ratio is that to the floor. Use: launch.py [--device cpu|cuda] [--rounds N].
"""

import argparse
import ctypes
import os
import pathlib
import tempfile
import timeit

import numpy as np
from common import ROOT, build, interleave, report, skip

LAUNCHES = 200
SOURCE = """
__global__ void empty0() {}
__global__ void empty4(float *a, float *b, float *c, int n) {}
__global__ void empty16(float *a, float *b, float *c, float *d, float *e, float *f, float *g,
                        float *h, int i, int j, int k, int l, float m, float n, double o, double p)
{
}
"""
PARAMETERS = {'empty0': '', 'empty4': 'ppp4', 'empty16': 'pppppppp444444dd'}
PTX_TYPES = {'p': 'u64', '4': 'u32', 'd': 'f64'}


def image():
    """PTX of the same kernels for the floor, which has no compiler."""
    text = ['.version 7.0', '.target sm_75', '.address_size 64']
    for name, kinds in PARAMETERS.items():
        params = [f'.param .{PTX_TYPES[kind]} p{place}' for place, kind in enumerate(kinds)]
        text.append(f'.visible .entry {name}({", ".join(params)}) {{ ret; }}')
    return '\n'.join(text).encode()


class Floor:
    """floor.c in this process. `open` answers None, or the reason why it cannot be used."""

    def open(self, library, address):
        folder = pathlib.Path(tempfile.mkdtemp(prefix='runcu-bench-'))
        path = build('floor.c', folder / 'floor.so', '-shared', '-fPIC', '-ldl')
        if path is None:
            return 'no C compiler'
        self.lib = ctypes.CDLL(path)
        self.lib.floor_launch.restype = ctypes.c_double
        code = self.lib.floor_open(str(library).encode(), image())
        self.params = []
        for index, (name, kinds) in enumerate(PARAMETERS.items()):
            code = code or self.lib.floor_kernel(index, name.encode())
            make = {'p': lambda: ctypes.c_uint64(address), '4': lambda: ctypes.c_int(5),
                    'd': lambda: ctypes.c_double(2)}
            values = [make[kind]() for kind in kinds]
            array = (ctypes.c_void_p * max(len(values), 1))(
                *(ctypes.cast(ctypes.pointer(value), ctypes.c_void_p) for value in values))
            self.params.append((array, values))
        return f'{library}: code {code}' if code else None

    def launch(self, index, waits):
        seconds = self.lib.floor_launch(index, self.params[index][0], LAUNCHES, waits)
        if seconds < 0:
            raise RuntimeError(f'the floor failed with CUDA error {-seconds:.0f}')
        return seconds * 1e6


# name, kernel, and the call as a program would write it.
CASES = [
    ('launch.0_args', 'empty0', 'f(block=(32, 1, 1), grid=(1, 1))'),
    ('launch.0_args_synchronize', 'empty0', 'f(block=(32, 1, 1), grid=(1, 1)); synchronize()'),
    ('launch.4_args', 'empty4', 'f(a, a, a, n, block=(32, 1, 1), grid=(1, 1))'),
    ('launch.4_args_python_int', 'empty4', 'f(a, a, a, 5, block=(32, 1, 1), grid=(1, 1))'),
    ('launch.4_args_bracket', 'empty4', 'launcher(a, a, a, n)'),
    ('launch.4_args_prepared', 'empty4', 'f.prepared_call((1, 1), (32, 1, 1), a, a, a, 5)'),
    ('launch.16_args', 'empty16',
     'f(a, a, a, a, a, a, a, a, n, n, n, n, x, x, d, d, block=(32, 1, 1), grid=(1, 1))'),
    ('launch.0_args_bound', 'empty0', 'bound()'),
    ('launch.4_args_bound', 'empty4', 'bound()'),
    ('launch.16_args_bound', 'empty16', 'bound()'),
    ('launch.4_args_bound_set', 'empty4', 'bound[3] = 5; bound()'),
]


def timed(statement, names, synchronize):
    """A measurement of a statement as the floor measures itself: idle device, many launches."""
    timer = timeit.Timer(statement, globals=names)

    def measure():
        synchronize()
        return timer.timeit(LAUNCHES) / LAUNCHES * 1e6
    return measure


def cases(module, memory, synchronize):
    """(name, the floor's arguments, measurement) of every way to launch that there is."""
    names = {'a': memory, 'n': np.int32(5), 'x': np.float32(1), 'd': np.float64(2)}
    values = {'p': memory, '4': np.int32(5), 'd': np.float64(2)}
    for name, kernel, statement in CASES:
        f = module.get_function(kernel)
        if 'prepared' in statement:
            f.prepare('PPPi')
        arguments = [values[kind] for kind in PARAMETERS[kernel]]
        arguments[12:14] = [np.float32(1) for _ in arguments[12:14]]
        made = {'f': f, 'synchronize': synchronize, 'launcher': f[(1, 1), (32, 1, 1)],
                'bound': f.bind(*arguments, block=(32, 1, 1), grid=(1, 1))}
        same = list(PARAMETERS).index(kernel), 'synchronize' in statement
        yield name, same, timed(statement, names | made, synchronize)


def cpu_library():
    """libruncu-cpu.so: the CPU device as a driver of its own for the floor."""
    named = os.environ.get('RUNCU_CPU_LIBRARY')
    places = [pathlib.Path(named)] if named else []
    places += [ROOT / 'build' / 'c' / 'src' / 'libruncu-cpu.so',
               ROOT / 'build' / 'gpu' / 'src' / 'libruncu-cpu.so']
    return next((place for place in places if place.exists()), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('--rounds', type=int, default=41)
    options = parser.parse_args()
    if options.device:
        os.environ['RUNCU_DEVICE'] = options.device
    import runcu.autoprimaryctx  # noqa: F401 (as the floor does)
    from runcu import compiler, driver

    module = compiler.SourceModule(SOURCE)
    memory = driver.mem_alloc(1 << 20)
    is_cpu = 'CPU' in driver.Context.get_device().name()
    library = cpu_library() if is_cpu else 'libcuda.so.1'
    floor = Floor()
    reason = floor.open(library, int(memory)) if library else 'libruncu-cpu.so is not built'
    prefix = 'cpu.' if is_cpu else ''
    for name, same, mine in cases(module, memory, driver.Context.synchronize):
        mine()
        if reason:
            report(prefix + name, interleave(options.rounds, mine)[0], 'us')
            continue
        ours, theirs = interleave(options.rounds, mine, lambda same=same: floor.launch(*same))
        report(prefix + name, ours, 'us', ours / theirs)
        report(prefix + name + '.floor', theirs, 'us', 1.0)
    if reason:
        skip(prefix + 'launch.floor', reason)


if __name__ == '__main__':
    main()
