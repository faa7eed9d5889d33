"""Arrays on the device: arithmetic, kernels of one's own on them, generated kernels, reductions."""

import numpy as np
import pycuda.autoinit  # noqa: F401
import pycuda.cumath as cumath
import pycuda.curandom as curandom
import pycuda.driver as cuda
import pycuda.gpuarray as gpuarray
from pycuda.compiler import SourceModule
from pycuda.elementwise import ElementwiseKernel
from pycuda.reduction import ReductionKernel
from pycuda.tools import DeviceMemoryPool

host = np.random.default_rng(6).standard_normal((4, 500)).astype(np.float32)
a = gpuarray.to_gpu(host)
assert (a.shape, a.dtype, a.size, a.nbytes) == (host.shape, host.dtype, 2000, 8000)
assert np.allclose((2 * a).get(), 2 * host)
assert np.allclose((a + a - a / 4).get(), host * 1.75)
assert np.allclose((a * a).get(), host**2)
assert np.allclose(a[1:3].get(), host[1:3]) and np.allclose(a[2].get(), host[2])
assert str(a) == str(host)

# Kernels take arrays, their memory and their address alike.
double = SourceModule("""
__global__ void twice(float *x)
{
    x[threadIdx.x + blockIdx.x * blockDim.x] *= 2;
}
""").get_function('twice')
for argument in (a, a.gpudata, np.intp(a.ptr)):
    double(argument, block=(500, 1, 1), grid=(4, 1))
assert np.allclose(a.get(), 8 * host)
double.prepare('P').prepared_call((4, 1), (500, 1, 1), a.gpudata)
assert np.allclose(a.get(), 16 * host)

# Temporaries come from a pool.
pool = DeviceMemoryPool()
b = gpuarray.to_gpu(host, allocator=pool.allocate)
for _ in range(5):
    b = b + 1
assert np.allclose(b.get(), host + 5) and pool.active_blocks == 1 and pool.held_blocks >= 1

combine = ElementwiseKernel(
    'float a, float *x, const float *y, float *z',
    'z[i] = a * x[i] + shifted(y[i])',
    'combine',
    preamble='__device__ float shifted(float v) { return v - 1; }',
)
x, y = curandom.rand((1000,)), gpuarray.to_gpu(np.arange(1000, dtype=np.float32))
z = gpuarray.empty_like(x)
combine(3, x, y, z)
assert np.allclose(z.get(), 3 * x.get() + np.arange(1000) - 1)
values = x.get()
assert 0 <= values.min() < 0.1 and 0.9 < values.max() <= 1 and abs(values.mean() - 0.5) < 0.1

distance = ReductionKernel(
    np.float32, neutral='0', reduce_expr='a+b', map_expr='(x[i]-y[i])*(x[i]-y[i])',
    arguments='const float *x, const float *y',
)  # fmt: skip
assert np.allclose(distance(x, z).get(), ((x.get() - z.get()) ** 2).sum(), rtol=1e-4)
assert np.allclose(cumath.sqrt(x).get(), np.sqrt(values))
assert np.allclose(cumath.exp(x).get(), np.exp(values), rtol=1e-5)

points = np.zeros(100, gpuarray.vec.float3)
points['x'], points['z'] = np.arange(100), 2
lengths = gpuarray.zeros(100, np.float32)
measure = ElementwiseKernel(
    'float3 origin, const float3 *p, float *length',
    'length[i] = fabsf(p[i].x - origin.x) + fabsf(p[i].y - origin.y) + fabsf(p[i].z - origin.z)',
)
measure(gpuarray.vec.make_float3(50, 1, 0), gpuarray.to_gpu(points), lengths)
assert np.allclose(lengths.get(), abs(np.arange(100) - 50) + 3)

start, end = cuda.Event(), cuda.Event()
start.record()
total = gpuarray.zeros((64, 64), np.float64)
total.fill(1.5)
end.record()
end.synchronize()
assert start.time_till(end) >= 0 and (total.get() == 1.5).all()
print('ok')
