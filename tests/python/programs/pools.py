"""A simulation whose temporaries come from pools, by the allocate method of each."""

import weakref

import numpy as np
import pycuda.autoinit  # noqa: F401
import pycuda.driver as cuda
from pycuda.compiler import SourceModule
from pycuda.tools import DeviceMemoryPool, PageLockedMemoryPool

device_pool = DeviceMemoryPool()
host_pool = PageLockedMemoryPool()


class CountingPool(DeviceMemoryPool):
    """Remembers who asked for what, as long as it is alive."""

    def __init__(self, name):
        self.name = name
        self.sizes = weakref.WeakKeyDictionary()
        super().__init__()

    def allocate(self, size):
        block = super().allocate(size)
        self.sizes[block] = size
        return block


class Vector:
    """What holds memory of whatever allocator it is given."""

    add = SourceModule("""
    __global__ void add(float *z, const float *x, const float *y, int n)
    {
        for (int i = threadIdx.x + blockIdx.x * blockDim.x; i < n; i += blockDim.x * gridDim.x)
            z[i] = x[i] + y[i];
    }
    """).get_function('add')
    add.prepare('PPPi')

    def __init__(self, size, allocator):
        self.size, self.allocator = size, allocator
        self.gpudata = allocator(4 * size)

    def set(self, host):
        staged = host_pool.allocate(host.shape, host.dtype)
        staged[:] = host
        cuda.memcpy_htod_async(self.gpudata, staged)
        return self

    def get(self):
        staged = host_pool.allocate((self.size,), np.float32)
        cuda.memcpy_dtoh(staged, self.gpudata)
        return staged.copy()

    def __add__(self, other):
        result = Vector(self.size, self.allocator)
        Vector.add.prepared_call(
            (8, 1), (128, 1, 1), result.gpudata, self.gpudata, other.gpudata, self.size
        )
        return result


x = np.random.default_rng(0).random(5000, dtype=np.float32)
counting = CountingPool('mine')
for allocate in (cuda.mem_alloc, device_pool.allocate, counting.allocate):
    a = Vector(x.size, allocate).set(x)
    for _ in range(10):
        a = a + a
    assert np.allclose(a.get(), x * 1024)
del a
cuda.Context.synchronize()

assert device_pool.active_blocks == 0 and 2 <= device_pool.held_blocks <= 12
assert len(counting.sizes) == 0 and counting.name == 'mine'
assert host_pool.active_blocks == 0 and host_pool.managed_bytes > 0
for pool in (device_pool, counting, host_pool):
    pool.free_held()
    assert pool.held_blocks == 0 and pool.managed_bytes == 0
    pool.stop_holding()
print('ok')
