"""The error of a kernel that went wrong earlier tells of the last launches of its context."""

import runcu
from runcu import driver

PROGRAM = """
import gc, sys
import numpy as np
import runcu
from runcu import driver

SOURCE = '''
__global__ void good(float a, float *x, int n) { if (threadIdx.x < n) x[threadIdx.x] = a; }
__global__ void bad(int *p, long long i, bool b, double d) { p[i] = b; }
__global__ void gone(int n) {}
__global__ void never() {}
'''
mod = runcu.SourceModule(SOURCE)
x = driver.mem_alloc(1024)
mod.never
other = runcu.SourceModule(SOURCE + '// of its own')
other.gone(7, grid=2, block=(4, 2, 1))
del other
gc.collect()
stream = driver.Stream()
mod.good(1.5, x, 32, grid=(2, 3), block=32, shared=64, stream=stream)
try:
    mod.good(1.5, x, 32, block=5000)
except driver.LogicError as e:
    assert e.launches == (), e.launches
bound = mod.bad.bind(x, 1 << 45, True, 0.25, block=1)
try:
    bound()
    driver.Context.synchronize()
except driver.Error as e:
    error = e
assert error.code in range(700, 720), error
handle = f'{stream.handle:#x}'
assert error.launches == (
    f'bad<<<1, 1>>>({int(x):#x}, 35184372088832, true, 0.25)',
    f'good<<<(2, 3, 1), 32, 64, {handle}>>>(1.5, {int(x):#x}, 32)',
    'gone<<<2, (4, 2, 1)>>>(7)',
), error.launches
text = str(error)
assert 'The last launches in the context, the newest first: bad<<<1, 1>>>(' in text, text
assert 'gone<<<2, (4, 2, 1)>>>(7)' in text and 'never' not in text, text
print('told')
sys.stdout.flush()
"""


def test_a_fault_tells_of_the_last_launches(python, device_name):
    done = python(PROGRAM, device=device_name, check=False)
    assert 'told' in done.stdout, done.stderr


def test_errors_that_are_no_faults_tell_of_none(device):
    mod = runcu.SourceModule('__global__ void nothing() {}')
    mod.nothing(block=1)
    for call in (
        lambda: mod.nothing(block=4000),
        lambda: driver.mem_alloc(1 << 60),
        lambda: mod.get_function('missing'),
    ):
        try:
            call()
        except driver.Error as e:
            assert e.launches == ()
        else:
            raise AssertionError('it succeeded')


def test_each_context_has_its_own(python, device_name):
    done = python(
        """
        import runcu
        from runcu import driver
        SOURCE = '''
        __global__ void here() {}
        __global__ void bad(int *p, long long i) { p[i] = 1; }'''
        device = driver.Device()
        first = device.make_context()
        runcu.SourceModule(SOURCE).here(block=1)
        driver.Context.synchronize()
        second = device.make_context()
        x = driver.mem_alloc(4)
        runcu.SourceModule(SOURCE).bad(x, 1 << 45, block=1)
        try:
            second.synchronize()
        except driver.Error as e:
            assert len(e.launches) == 1 and e.launches[0].startswith('bad<<<1, 1>>>('), e.launches
            print('told')
        """,
        device=device_name,
        check=False,
    )
    assert 'told' in done.stdout, done.stderr
