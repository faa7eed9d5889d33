"""The short form: a source, a kernel by its name, a number of threads, host arrays that travel."""

import numpy as np
import runcu
from runcu import In, InOut

n = 1000
x = np.arange(n, dtype=np.float32)
y = np.ones(n, dtype=np.float32)

mod = runcu.SourceModule("""
__global__ void saxpy(float a, const float *x, float *y, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += a * x[i];
}
""")
mod.saxpy[n](2.0, In(x), InOut(y), n)  # Python numbers take the width of the parameter they meet

print(y)
assert (y == 1 + 2 * np.arange(n)).all()
