"""64 sources of different code compiled at once, on eight processors, workers' start-up counted.

Each side is a process of its own, which has neither NVRTC loaded nor anything in its cache. The
ratio is how many times the rate of one thread.
"""

import os
import subprocess
import sys

from common import interleave, report, skip

COUNT = 64
PROCESSORS = 8
CODE = """
import os, sys, time
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{processors}])
from runcu import compiler
seed, parallel = int(sys.argv[1]), int(sys.argv[2])
text = '''__global__ void k(float *x, const float *y, int n)
{{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = VALUE;
    for (int k = 0; k < n; k++)
        sum += y[k] * x[i];
    if (i < n) x[i] = sum * VALUE;
}}
'''
requests = [{{'source': text.replace('VALUE', f'{{seed * 1000 + i}}.5f'), 'arch': 'sm_80',
             'no_cache': True}} for i in range({count})]
start = time.perf_counter()
done = compiler._core.compile_jobs(requests, parallel=parallel)
seconds = time.perf_counter() - start
assert all(p.succeeded for p in done)
print(seconds)
"""

seeds = iter(range(1, 1000))


def seconds(parallel):
    program = CODE.format(processors=PROCESSORS, count=COUNT)
    done = subprocess.run([sys.executable, '-c', program, str(next(seeds)), str(parallel)],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def main():
    available = len(os.sched_getaffinity(0))
    if available < 2:
        skip('compile.many', 'one processor')
        return
    one, many = interleave(5, lambda: seconds(1), lambda: seconds(min(available, PROCESSORS)))
    report('compile.64_sources.one_thread', one * 1e3, 'ms', 1)
    report(f'compile.64_sources.{min(available, PROCESSORS)}_cores', many * 1e3, 'ms', one / many)


if __name__ == '__main__':
    main()
