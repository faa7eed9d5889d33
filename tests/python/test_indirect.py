"""Calls by address in kernels: function pointers, tables of them, virtual functions."""

import numpy as np
import pytest
from runcu import driver
from runcu.compiler import SourceModule

TABLE = """
typedef float (*unary)(float);
__device__ float increase(float x) { return x + 1; }
__device__ float tenfold(float x) { return x * 10; }
__device__ float negate(float x) { return -x; }
"""


def run(source, n=64, block=None, name='run', **kwargs):
    x = np.arange(n, dtype=np.float32)
    SourceModule(source, **kwargs).get_function(name)(driver.InOut(x), block=(n, 1, 1))
    return x


def expected(n, *functions):
    return np.array([functions[i % len(functions)](float(i)) for i in range(n)], np.float32)


THREE = (lambda x: x + 1, lambda x: x * 10, lambda x: -x)


@pytest.mark.parametrize('where', ['__device__', '__constant__'])
def test_tables(device, where):
    source = (
        TABLE
        + where
        + """ unary table[3] = {increase, tenfold, negate};
    __global__ void run(float *x) { x[threadIdx.x] = table[threadIdx.x % 3](x[threadIdx.x]); }"""
    )
    assert np.array_equal(run(source), expected(64, *THREE))


def test_a_choice(device):
    source = (
        TABLE
        + """__global__ void run(float *x) {
        unary f = threadIdx.x % 3 == 0 ? increase : threadIdx.x % 3 == 1 ? tenfold : negate;
        float y = f(x[threadIdx.x]);
        __syncthreads();
        x[threadIdx.x] = f == tenfold ? y + 0 : y; }"""
    )
    assert np.array_equal(run(source), expected(64, *THREE))


def test_addresses_in_memory(device):
    module = SourceModule(
        TABLE
        + """
    __device__ unary chosen;
    __global__ void choose(int i) { chosen = i == 0 ? increase : i == 1 ? tenfold : negate; }
    __global__ void run(float *x) { x[threadIdx.x] = chosen(x[threadIdx.x]); }"""
    )
    for i, function in enumerate(THREE):
        module.get_function('choose')(np.int32(i), block=(1, 1, 1))
        x = np.arange(4, dtype=np.float32)
        module.get_function('run')(driver.InOut(x), block=(4, 1, 1))
        assert np.array_equal(x, expected(4, function))


def test_functions_that_call_back(device):
    source = """
    typedef int (*step)(int);
    __device__ int even(int n); __device__ int odd(int n);
    __device__ step steps[2] = {even, odd};
    __device__ __noinline__ int even(int n) { return n == 0 ? 1 : steps[1](n - 1); }
    __device__ __noinline__ int odd(int n) { return n == 0 ? 0 : steps[0](n - 1); }
    __global__ void run(float *x) { x[threadIdx.x] = steps[0](threadIdx.x); }"""
    assert np.array_equal(run(source, 16), expected(16, lambda x: 1, lambda x: 0))


def test_signatures(device):
    source = """
    struct pair { float a, b; };
    typedef pair (*swap_fn)(pair, double);
    typedef void (*store_fn)(float *, int);
    __device__ pair swap(pair p, double d) { return {p.b, p.a + (float) d}; }
    __device__ pair same(pair p, double d) { return p; }
    __device__ void store(float *x, int i) { x[i] += 0.5f; }
    __device__ swap_fn swaps[2] = {swap, same};
    __device__ store_fn stores[1] = {store};
    __global__ void run(float *x) {
        int i = threadIdx.x;
        pair p = swaps[i % 2]({x[i], 2}, 3.0);
        x[i] = p.a * 100 + p.b;
        stores[0](x, i); }"""
    functions = (lambda x: 200 + x + 3.5, lambda x: x * 100 + 2.5)
    assert np.array_equal(run(source), expected(64, *functions))


def test_shared_memory_of_what_is_called(device):
    source = """
    typedef float (*sum)(float *);
    __device__ float total(float *x) {
        __shared__ float all[64];
        all[threadIdx.x] = x[threadIdx.x];
        __syncthreads();
        float y = 0;
        for (int i = 0; i < 64; i++) y += all[i];
        return y; }
    __device__ float none(float *x) { __shared__ float more[32]; more[0] = 1; return more[0]; }
    __device__ sum sums[2] = {total, none};
    __global__ void run(float *x) {
        __shared__ float mine[64];
        mine[threadIdx.x] = x[threadIdx.x];
        float y = sums[x[63] < 0](x);
        x[threadIdx.x] = y + mine[threadIdx.x]; }"""
    assert np.array_equal(run(source), expected(64, lambda x: 2016 + x))


def test_virtual_functions(device):
    source = """
    struct shape { __device__ virtual float area() const = 0; __device__ virtual ~shape() {} };
    struct square : shape { float a; __device__ square(float a) : a(a) {}
        __device__ float area() const override { return a * a; } };
    struct strip : square { float b; __device__ strip(float a, float b) : square(a), b(b) {}
        __device__ float area() const override { return a * b; } };
    __device__ shape *make(float a) {
        if ((int) a % 2) return new strip(a, 2);
        return new square(a); }
    __global__ void run(float *x) {
        shape *s = make(x[threadIdx.x]);
        x[threadIdx.x] = s->area();
        delete s; }"""
    assert np.array_equal(run(source), expected(64, lambda x: x * x, lambda x: x * 2))


def test_an_address_of_no_function(python):
    told = python(
        """
        import numpy as np
        from runcu import driver
        from runcu.compiler import SourceModule
        import runcu.autoinit
        k = SourceModule('''
            typedef void (*call)();
            __device__ int n;
            __device__ void count() { n++; }
            __device__ call some = count;
            __global__ void run(long long at) { call f = at ? (call) at : some; f(); }
            ''').get_function('run')
        k(np.int64(0), block=(1, 1, 1))
        try:
            k(np.int64(0x1234), block=(1, 1, 1))
            driver.Context.synchronize()
        except driver.Error as e:
            print(e)
        """,
        check=False,
    ).stdout
    assert 'call of a function at 0x1234' in told and "kernel 'run'" in told
