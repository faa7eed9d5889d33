"""What `import runcu` costs beyond NumPy: milliseconds, medians of fresh processes.

The ratio is that of both imports to NumPy's alone. Says so if the import loads CUDA's libraries.
"""

import statistics
import subprocess
import sys

from common import report

ROUNDS = 15
CODE = """
import time
a = time.perf_counter()
import numpy
b = time.perf_counter()
import {module}
c = time.perf_counter()
with open('/proc/self/maps') as maps:
    loaded = maps.read()
cuda = [name for name in ('libcuda.so', 'libnvrtc', 'libcudart') if name in loaded]
print((b - a) * 1e3, (c - b) * 1e3, *cuda)
"""


def measure(module):
    """One fresh process: milliseconds of NumPy, of the module beyond it, libraries that came in."""
    done = subprocess.run([sys.executable, '-c', CODE.format(module=module)],
                          capture_output=True, text=True, check=True)
    numpy, ours, *loaded = done.stdout.split()
    return float(numpy), float(ours), loaded


def main():
    for module in ('runcu', 'runcu.driver, runcu.compiler'):
        measure(module)
        rounds = [measure(module) for _ in range(ROUNDS)]
        numpy = statistics.median(each[0] for each in rounds)
        ours = statistics.median(each[1] for each in rounds)
        name = 'import.' + module.replace('runcu.', '').replace(', ', '+')
        report(name, ours, 'ms', (numpy + ours) / numpy)
        loaded = sorted({name for each in rounds for name in each[2]})
        report(name + '.cuda_libraries', len(loaded), 'count')


if __name__ == '__main__':
    main()
