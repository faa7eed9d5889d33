"""Templates: instances compiled when they are asked for, or all at once; overloads, namespaces."""

import numpy as np
import runcu
from runcu import InOut

mod = runcu.SourceModule("""
namespace power {
template <typename T, int n> __device__ T of(T x) { return x * of<T, n - 1>(x); }
template <> __device__ float of<float, 0>(float x) { return 1; }
template <> __device__ int of<int, 0>(int x) { return 1; }
}

template <typename T, int n> __global__ void raise(T *x)
{
    x[threadIdx.x] = power::of<T, n>(x[threadIdx.x]);
}
__global__ void negate(float *x) { x[threadIdx.x] = -x[threadIdx.x]; }
__global__ void negate(int *x) { x[threadIdx.x] = -x[threadIdx.x]; }
""")

# Each is compiled once, and kept on disk.
for dtype, name in (np.float32, 'raise<float, 3>'), (np.int32, 'raise<int, 2>'):
    x = np.arange(4, dtype=dtype)
    mod.get_function(name)[4](InOut(x))
    print(name, x)
    assert (x == np.arange(4) ** int(name[-2])).all()

# Overloads are told apart by their parameters.
x = np.arange(4, dtype=np.int32)
mod.get_function('negate(int *)')[4](InOut(x))
assert (x == -np.arange(4)).all()
try:
    mod.get_function('negate')
except runcu.driver.LogicError as e:
    print(e)

# Many at once, in one compile.
names = [f'scale<{n}>' for n in (2, 3, 5)]
mod = runcu.SourceModule(
    'template <int n> __global__ void scale(int *x) { x[threadIdx.x] *= n; }',
    name_expressions=names,
)
x = np.ones(4, np.int32)
for name in names:
    mod.get_function(name)[4](InOut(x))
print(x)
assert (x == 30).all()
