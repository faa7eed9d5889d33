"""What Python pays for a source that was compiled before, and for an instance of a template.

The same source again in one process: the ratio is to compiling it. An instance on demand: the ratio
is to compiling and loading the same kernel written without a template, in pairs, the code different
each time.
"""

import itertools
import os
import tempfile
import time

from common import interleave, report

PLAIN = """
__global__ void axpy(float a, float *x, const float *y, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] = a * x[i] + y[i] + VALUE;
}
"""
TEMPLATE = 'template <typename T>' + PLAIN.replace('float', 'T')

seeds = itertools.count(os.getpid() * 1000)


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def again(name, call):
    """`call(source)` of one source, many times."""
    source = PLAIN.replace('VALUE', f'{next(seeds)}')
    first = seconds(lambda: call(source))
    many = sorted(seconds(lambda: call(source)) for _ in range(1001))
    report(name, many[500] * 1e6, 'us', many[500] / first)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ['RUNCU_CACHE_DIR'] = folder
        from runcu import compiler

        compiler.SourceModule(PLAIN.replace('VALUE', '0'))  # NVRTC and the device are there
        again('cache.python.program', lambda s: compiler.Program(s))
        again('cache.python.compile', lambda s: compiler.compile(s, target='ptx'))
        again('cache.python.source_module', lambda s: compiler.SourceModule(s))

        def plain():
            source = PLAIN.replace('VALUE', f'{next(seeds)}')
            return seconds(lambda: compiler.SourceModule(source).get_function('axpy'))

        def instance():
            module = compiler.SourceModule(TEMPLATE.replace('VALUE', f'{next(seeds)}'))
            return seconds(lambda: module.get_function('axpy<float>'))

        one, demanded = interleave(41, plain, instance)
        report('compile.instance', demanded * 1e3, 'ms', demanded / one)


if __name__ == '__main__':
    main()
