"""Vector addition as one writes it for Numba: kernel[blocks, threads](...), also on host arrays."""

import numpy as np
import runcu
from runcu import In, Out, gpuarray

mod = runcu.SourceModule("""
__global__ void add(const float *a, const float *b, float *c, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;  // cuda.grid(1)
    if (i < n)
        c[i] = a[i] + b[i];
}
""")

n = 1000
a = np.random.randn(n).astype(np.float32)
b = np.random.randn(n).astype(np.float32)
c = np.zeros_like(a)
threads = 256
blocks = (n + threads - 1) // threads

# Host arrays say which way they travel.
mod.add[blocks, threads](In(a), In(b), Out(c), n)
print(c[:4])
assert (c == a + b).all()

# What is on the device stays there: cuda.to_device and copy_to_host.
d_a, d_b, d_c = gpuarray.to_gpu(a), gpuarray.to_gpu(b), gpuarray.empty(n, np.float32)
mod.add[n](d_a, d_b, d_c, n)  # one number: threads in all, as forall(n)
assert (d_c.get() == c).all()
