"""Copies and kernels on two streams, page-locked memory, and events that measure time."""

import numpy as np
import runcu
import runcu.autoinit  # noqa: F401  makes a context current
from runcu import driver as cuda

mod = runcu.SourceModule("""
__global__ void square(float *x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= x[i];
}
""")
square = mod.get_function('square')

n, parts = 1 << 20, 2
host = cuda.pagelocked_empty(n, np.float32)  # copies of plain memory are not asynchronous
host[:] = np.arange(n) % 100
want = host**2
device = cuda.mem_alloc(host.nbytes)
streams = [cuda.Stream() for _ in range(parts)]

start, end = cuda.Event(), cuda.Event()
start.record()
for k, stream in enumerate(streams):
    part = host[k * n // parts : (k + 1) * n // parts]
    address = int(device) + k * part.nbytes
    cuda.memcpy_htod_async(address, part, stream)
    blocks = -(-part.size // 256)
    square(address, part.size, block=(256, 1, 1), grid=(blocks, 1), stream=stream)
    cuda.memcpy_dtoh_async(part, address, stream)
end.record()
end.synchronize()

print(f'{n} squares in {end.time_since(start):.2f} ms')
assert (host == want).all()
