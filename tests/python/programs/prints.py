"""Kernels that print; the program simply ends, and what they printed is there."""

import numpy as np
import pycuda.autoinit  # noqa: F401
import pycuda.driver as cuda
from pycuda.compiler import SourceModule

module = SourceModule("""
#include <stdio.h>

__global__ void hello(const float *x)
{
    if (threadIdx.x == 0)
        printf("block %d: %5.2f %s %c%%\\n", blockIdx.x, x[blockIdx.x], "text", 'z');
}
""")
hello = module.get_function('hello')
hello(cuda.In(np.array([1.5, 2.25], np.float32)), block=(32, 1, 1), grid=(1, 1))
cuda.Context.synchronize()
print('between')
x = cuda.to_device(np.array([3, 4], np.float32))
hello(x, block=(32, 1, 1))
