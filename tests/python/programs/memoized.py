"""Generated kernels, made once for each type and context."""

import numpy as np
import pycuda.driver as cuda
from pycuda.compiler import SourceModule
from pycuda.tools import (
    clear_context_caches,
    context_dependent_memoize,
    dtype_to_ctype,
    make_default_context,
    parse_c_arg,
)

made = []


@context_dependent_memoize
def get_axpy_kernel(dtype_x, dtype_z, name='axpy'):
    made.append((dtype_x, dtype_z))
    arguments = [
        f'{dtype_to_ctype(dtype_z)} *z',
        f'{dtype_to_ctype(dtype_x)} a',
        f'const {dtype_to_ctype(dtype_x)} *x',
        'unsigned long n',
    ]
    module = SourceModule(
        f"""
        #include <pycuda-complex.hpp>
        extern "C" __global__ void {name}({', '.join(arguments)})
        {{
            unsigned total = gridDim.x * blockDim.x;
            for (unsigned long i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += total)
                z[i] = z[i] + a * x[i];
        }}
        """,
        options=['-w'],
        no_extern_c=True,
    )
    function = module.get_function(name)
    function.prepare(''.join(parse_c_arg(a).struct_char for a in arguments))
    return function


def axpy(z, a, x):
    function = get_axpy_kernel(x.dtype, z.dtype)
    z_gpu, x_gpu = cuda.to_device(z), cuda.to_device(x)
    function.prepared_call((4, 1), (64, 1, 1), z_gpu, a, x_gpu, x.size)
    return cuda.from_device_like(z_gpu, z)


cuda.init()
for _ in range(2):
    context = make_default_context()
    for dtype in (np.int32, np.float32, np.float64, np.complex64, np.complex128):
        z, x = np.arange(300).astype(dtype), np.arange(300)[::-1].astype(dtype)
        for a in (2, 3):
            assert np.allclose(axpy(z, a, x), z + a * x)
    context.pop()
    context.detach()
assert len(made) == 10
clear_context_caches()
print('ok')
