import pycuda.driver as cuda
import pycuda.autoinit
from pycuda.compiler import SourceModule
import numpy as np
mod = SourceModule("""
__global__ void add_vectors(float *a, float *b, float *c, int n)
{
    int idx = threadIdx.x + blockIdx.x * blockDim.x;
    if (idx < n) { c[idx] = a[idx] + b[idx]; }
}
""")
n = 1000
a = np.random.randn(n).astype(np.float32)
b = np.random.randn(n).astype(np.float32)
c = np.zeros(n, dtype=np.float32)
a_gpu = cuda.mem_alloc(a.nbytes); b_gpu = cuda.mem_alloc(b.nbytes); c_gpu = cuda.mem_alloc(c.nbytes)
cuda.memcpy_htod(a_gpu, a); cuda.memcpy_htod(b_gpu, b)
add_vectors = mod.get_function("add_vectors")
block_size = 256
grid_size = (n + block_size - 1) // block_size
add_vectors(a_gpu, b_gpu, c_gpu, np.int32(n), block=(block_size, 1, 1), grid=(grid_size, 1))
cuda.memcpy_dtoh(c, c_gpu)
print("a + b = c"); print(c)
