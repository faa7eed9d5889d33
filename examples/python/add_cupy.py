"""Vector addition as one writes it for CuPy: a RawKernel, tuples for grid, block and arguments."""

import numpy as np
import runcu
from runcu import gpuarray

add = runcu.RawKernel(
    r"""
extern "C" __global__ void add(const float *a, const float *b, float *c, int n)
{
    int i = blockDim.x * blockIdx.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}
""",
    'add',
)

n = 1000
a = gpuarray.to_gpu(np.random.randn(n).astype(np.float32))  # CuPy's own arrays would do as well
b = gpuarray.to_gpu(np.random.randn(n).astype(np.float32))
c = gpuarray.empty(n, np.float32)
block = 256
add(((n + block - 1) // block,), (block,), (a, b, c, np.int32(n)))

print(c[:4])
assert (c.get() == a.get() + b.get()).all()
