"""A filter whose coefficients are in constant memory, and a counter in a device variable."""

import numpy as np
import pycuda.autoinit  # noqa: F401
import pycuda.driver as cuda
from pycuda.compiler import SourceModule

RADIUS, SIZE = 4, 3000

module = SourceModule(f'#define RADIUS {RADIUS}\n' + """
    #define TAPS (2 * RADIUS + 1)
    __constant__ float taps[TAPS];
    __device__ unsigned int calls;
    __device__ double table[2][3] = {{1, 2, 3}, {4, 5, 6}};

    __global__ void convolve(const float *in, float *out, int n)
    {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i == 0)
            atomicAdd(&calls, 1u);
        if (i >= n)
            return;
        float sum = 0;
        for (int k = 0; k < TAPS; k++) {
            int j = i + k - RADIUS;
            if (j >= 0 && j < n)
                sum += taps[k] * in[j];
        }
        out[i] = sum;
    }
    """)  # fmt: skip

taps = np.hanning(2 * RADIUS + 3)[1:-1].astype(np.float32)
address, size = module.get_global('taps')
assert size == taps.nbytes
cuda.memcpy_htod(address, taps)

calls, size = module.get_global('calls')
assert size == 4
cuda.memset_d32(calls, 0, 1)

signal = np.random.default_rng(2).random(SIZE, dtype=np.float32)
result = np.empty_like(signal)
convolve = module.get_function('convolve')
for _ in range(3):
    convolve(cuda.In(signal), cuda.Out(result), np.int32(SIZE), block=(256, 1, 1),
             grid=((SIZE + 255) // 256, 1))  # fmt: skip
assert np.allclose(result, np.convolve(signal, taps, 'same'), atol=1e-4)
assert cuda.from_device(calls, (), np.uint32) == 3

back = np.empty_like(taps)
cuda.memcpy_dtoh(back, address)
assert (back == taps).all()
table, size = module.get_global('table')
assert (cuda.from_device(table, (2, 3), np.float64) == [[1, 2, 3], [4, 5, 6]]).all()
try:
    module.get_global('absent')
except cuda.LogicError as e:
    assert 'cuModuleGetGlobal failed' in str(e)
else:
    raise AssertionError('there is no such variable')
print('ok')
