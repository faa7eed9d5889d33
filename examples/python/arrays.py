"""Arrays on the device: NumPy's operators, kernels of one line, sums, random numbers."""

import numpy as np
import runcu.autoinit  # noqa: F401
from runcu import cumath, gpuarray
from runcu.curandom import rand
from runcu.elementwise import ElementwiseKernel
from runcu.reduction import ReductionKernel

x, y = rand(1_000_000, seed=1), rand(1_000_000, seed=2)

# Points of the unit square, and those of them within a quarter of a circle.
inside = ReductionKernel(
    np.int32, neutral='0', reduce_expr='a + b', map_expr='x[i] * x[i] + y[i] * y[i] < 1',
    arguments='const float *x, const float *y',
)  # fmt: skip
pi = 4 * inside(x, y).get() / x.size
print('pi is about', pi)
assert abs(pi - np.pi) < 0.01

distance = cumath.sqrt(x**2 + y**2)
print('mean distance', gpuarray.sum(distance, dtype=np.float64).get() / x.size)

# y becomes a step of the logistic map, as often as its element of x says.
step = ElementwiseKernel(
    'const float *x, float *y',
    'for (int k = 0; k < int(10 * x[i]); k++) y[i] = 3.7f * y[i] * (1 - y[i])',
    'step',
)
step(x, y)
print('largest', gpuarray.max(y).get())

table = gpuarray.arange(12, dtype=np.float32).reshape(3, 4)
table[:, 1::2] *= 10
table -= table[0]
print(table[::-1])
assert (table.get()[:, 1] == [0, 40, 80]).all()
