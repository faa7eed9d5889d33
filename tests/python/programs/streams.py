"""Chunks through two streams: copy in, compute, copy out, with events around it all."""

import time

import numpy as np
import pycuda.autoinit  # noqa: F401
import pycuda.driver as cuda
from pycuda.compiler import SourceModule

CHUNKS, SIZE = 8, 10000

kernel = SourceModule("""
__global__ void work(float *data, float add, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        data[i] = sqrtf(data[i]) + add;
}
""").get_function('work')
kernel.prepare([np.intp, np.float32, np.int32])

source = cuda.pagelocked_empty((CHUNKS, SIZE), np.float32)
source[:] = np.random.default_rng(1).random((CHUNKS, SIZE))
target = cuda.pagelocked_zeros((CHUNKS, SIZE), np.float32)
assert isinstance(source.base, cuda.PagelockedHostAllocation)

streams = [cuda.Stream() for _ in range(2)]
buffers = [cuda.mem_alloc(source[0].nbytes) for _ in range(CHUNKS)]
begin, end = cuda.Event(), cuda.Event(cuda.event_flags.DEFAULT)
done = [cuda.Event(cuda.event_flags.BLOCKING_SYNC | cuda.event_flags.DISABLE_TIMING)
        for _ in range(CHUNKS)]  # fmt: skip

started = time.time()
begin.record()
for i in range(CHUNKS):
    stream = streams[i % 2]
    cuda.memcpy_htod_async(buffers[i], source[i], stream)
    kernel.prepared_async_call((SIZE // 256 + 1, 1), (256, 1, 1), stream, buffers[i], i, SIZE)
    cuda.memcpy_dtoh_async(target[i], buffers[i], stream)
    done[i].record(stream)
for stream in streams:
    stream.synchronize()
end.record().synchronize()

milliseconds = begin.time_till(end)
assert 0 <= milliseconds <= 1e3 * (time.time() - started) + 50
assert end.time_since(begin) == milliseconds
assert all(e.query() for e in done) and all(s.is_done() for s in streams)
assert np.allclose(target, np.sqrt(source) + np.arange(CHUNKS)[:, None], atol=1e-6)

# One stream goes on where another one is ready.
first, second = cuda.Stream(), cuda.Stream()
ready = cuda.Event()
host = np.full(SIZE, 16, np.float32)
cuda.memcpy_htod_async(buffers[0], host, first)
ready.record(first)
second.wait_for_event(ready)
kernel(buffers[0], np.float32(1), np.int32(SIZE), block=(256, 1, 1), grid=(40, 1), stream=second)
second.synchronize()
cuda.memcpy_dtoh(host, buffers[0])
assert (host == 5).all()

wait = kernel.prepared_timed_call((40, 1), (256, 1, 1), buffers[0], 0.5, SIZE)
assert 0 <= wait() < 10
assert kernel(buffers[0], np.float32(1), np.int32(SIZE), block=(256, 1, 1), grid=(40, 1),
              time_kernel=True) >= 0  # fmt: skip
print('ok')
