"""Heat on a plate: two buffers in turn, two-dimensional blocks, prepared calls."""

import numpy as np
import pycuda.autoinit  # noqa: F401
import pycuda.driver as cuda
from pycuda.compiler import SourceModule

HEIGHT, WIDTH, STEPS = 60, 83, 20

step = SourceModule("""
__global__ void step(const double *now, double *next, int height, int width, double rate)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height)
        return;
    int i = y * width + x;
    if (x == 0 || y == 0 || x == width - 1 || y == height - 1) {
        next[i] = now[i];
        return;
    }
    next[i] = now[i] + rate * (now[i - 1] + now[i + 1] + now[i - width] + now[i + width]
                               - 4 * now[i]);
}
""").get_function('step')
step.prepare('PPiid')

plate = np.zeros((HEIGHT, WIDTH))
plate[0], plate[20:30, 20:30] = 100, 50
expected = plate.copy()
for _ in range(STEPS):
    inner = expected[1:-1, 1:-1]
    around = expected[1:-1, :-2] + expected[1:-1, 2:] + expected[:-2, 1:-1] + expected[2:, 1:-1]
    changed = inner + 0.2 * (around - 4 * inner)
    expected = expected.copy()
    expected[1:-1, 1:-1] = changed

block = (16, 8, 1)
grid = ((WIDTH + block[0] - 1) // block[0], (HEIGHT + block[1] - 1) // block[1])
now, following = cuda.to_device(plate), cuda.mem_alloc_like(plate)
stream, start, stop = cuda.Stream(), cuda.Event(), cuda.Event()
start.record(stream)
for _ in range(STEPS):
    step.prepared_async_call(grid, block, stream, now, following, HEIGHT, WIDTH, 0.2)
    now, following = following, now
stop.record(stream)
stop.synchronize()
assert stop.time_since(start) >= 0

result = np.empty_like(plate)
cuda.memcpy_dtoh(result, now)
assert np.allclose(result, expected)
copy = cuda.mem_alloc(plate.nbytes)
cuda.memcpy_dtod(copy, now, plate.nbytes)
assert (cuda.from_device_like(copy, plate) == result).all()
print('ok')
