"""Vector addition as one writes it for cuda.core: compile to code, load it, launch in a stream."""

import numpy as np
import runcu.autoinit  # noqa: F401  makes a context current
from runcu import compiler, driver

source = """
template <typename T> __global__ void add(const T *a, const T *b, T *c, size_t n)
{
    size_t i = threadIdx.x + size_t(blockIdx.x) * blockDim.x;
    if (i < n) c[i] = a[i] + b[i];
}
"""

# Program, compile, get_kernel. SourceModule does it in one step and keeps what it compiled.
instance = 'template __global__ void add<float>(const float *, const float *, float *, size_t);'
code = compiler.compile(source + instance, no_extern_c=True, std='c++17')
kernel = driver.module_from_buffer(code).get_function('add<float>')

n = 1000
a = np.random.randn(n).astype(np.float32)
b = np.random.randn(n).astype(np.float32)
c = np.empty_like(a)
with driver.Stream() as stream:
    # Buffers in the order of the stream.
    d_a, d_b, d_c = (driver.mem_alloc_async(a.nbytes, stream) for _ in range(3))
    driver.memcpy_htod_async(d_a, a, stream)
    driver.memcpy_htod_async(d_b, b, stream)
    kernel(d_a, d_b, d_c, n, grid=-(-n // 256), block=256, stream=stream)
    driver.memcpy_dtoh_async(c, d_c, stream)
    for buffer in (d_a, d_b, d_c):
        buffer.free_async(stream)
    stream.synchronize()

print(c[:4])
assert (c == a + b).all()
