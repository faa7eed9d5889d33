"""Histograms and sums in dynamic shared memory, and what kernels say of themselves."""

import numpy as np
import pycuda.autoinit
import pycuda.driver as cuda
from pycuda.compiler import SourceModule
from pycuda.tools import DeviceData, OccupancyRecord

module = SourceModule("""
extern __shared__ unsigned int bins[];

__global__ void histogram(const unsigned char *in, unsigned int *out, int n, int bin_count)
{
    for (int b = threadIdx.x; b < bin_count; b += blockDim.x)
        bins[b] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&bins[in[i] % bin_count], 1u);
    __syncthreads();
    for (int b = threadIdx.x; b < bin_count; b += blockDim.x)
        atomicAdd(&out[b], bins[b]);
}

extern __shared__ float partial[];

__global__ void total(const float *in, float *out, int n)
{
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        sum += in[i];
    partial[threadIdx.x] = sum;
    for (int half = blockDim.x / 2; half; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            partial[threadIdx.x] += partial[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        *out = partial[0];
}
""")

data = np.random.default_rng(3).integers(0, 256, 20000).astype(np.uint8)
histogram = module.get_function('histogram')
for count in (16, 256):
    found = np.zeros(count, np.uint32)
    histogram(cuda.In(data), cuda.InOut(found), np.int32(data.size), np.int32(count),
              block=(128, 1, 1), grid=(4, 1), shared=4 * count)  # fmt: skip
    assert (found == np.bincount(data.astype(int) % count, minlength=count)).all()

values = np.random.default_rng(4).random(5000, dtype=np.float32)
result = np.zeros(1, np.float32)
total = module.get_function('total')
total.prepare('PPi')
device_values, device_result = cuda.to_device(values), cuda.mem_alloc(4)
total.prepared_call((1, 1), (256, 1, 1), device_values, device_result, 5000, shared_size=1024)
cuda.memcpy_dtoh(result, device_result)
assert np.isclose(result[0], values.sum(), rtol=1e-5)

for kernel in (histogram, total):
    assert kernel.num_regs > 0 and kernel.shared_size_bytes >= 0 and kernel.local_size_bytes >= 0
    assert kernel.max_threads_per_block <= pycuda.autoinit.device.max_threads_per_block
    assert kernel.get_attribute(cuda.function_attribute.NUM_REGS) == kernel.num_regs
    kernel.set_cache_config(cuda.func_cache.PREFER_SHARED)

record = OccupancyRecord(DeviceData(), 256, shared_mem=1024, registers=total.num_regs)
assert record.tb_per_mp >= 1 and 0 < record.occupancy <= 1
print('ok')
