"""One thread a job: each with a context of its own, then all of them in one context."""

import threading

import numpy as np
import pycuda.driver as cuda
from pycuda.compiler import SourceModule

SOURCE = """
__global__ void scale(float *x, float factor, int n)
{
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    if (i < n)
        x[i] *= factor;
}
"""


class Worker(threading.Thread):
    def __init__(self, number, shared=None):
        super().__init__()
        self.number, self.shared, self.error = number, shared, None
        self.host = np.arange(1000, dtype=np.float32)

    def run(self):
        try:
            if self.shared is None:
                self.ctx = cuda.Device(0).make_context()
            else:
                self.ctx = self.shared
                self.ctx.push()
            try:
                self.work()
            finally:
                self.ctx.pop()
                if self.shared is None:
                    self.ctx.detach()
        except Exception as e:
            self.error = e

    def work(self):
        scale = SourceModule(SOURCE).get_function('scale')
        buffer = cuda.mem_alloc(self.host.nbytes)
        cuda.memcpy_htod(buffer, self.host)
        for _ in range(3):
            scale(buffer, np.float32(self.number), np.int32(1000), block=(128, 1, 1), grid=(8, 1))
        result = np.empty_like(self.host)
        cuda.memcpy_dtoh(result, buffer)
        assert np.allclose(result, self.host * float(self.number) ** 3)
        buffer.free()


cuda.init()
common = cuda.Device(0).make_context()
common.pop()
for shared in (None, common):
    workers = [Worker(number, shared) for number in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.error is None, worker.error
common.detach()
assert cuda.Context.get_current() is None
print('ok')
