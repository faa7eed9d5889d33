"""Tiled matrix product: options, macros, headers in a folder, C++ templates, kernels in files."""

import os
import sys
import tempfile

import numpy as np
import pycuda.autoinit
import pycuda.driver as cuda
from pycuda.compiler import DEFAULT_NVCC_FLAGS, SourceModule, compile

HEADER = """
#pragma once
template <class T> __device__ T multiply_add(T a, T b, T c) { return a * b + c; }
"""
SOURCE = """
#include "tiles.h"

template <class T> __device__ void product(const T *a, const T *b, T *c, int n)
{
    __shared__ T tile_a[TILE][TILE], tile_b[TILE][TILE];
    int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
    T sum = 0;
    for (int k = 0; k < n; k += TILE) {
        tile_a[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
        tile_b[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + column];
        __syncthreads();
        for (int i = 0; i < TILE; i++)
            sum = multiply_add(tile_a[threadIdx.y][i], tile_b[i][threadIdx.x], sum);
        __syncthreads();
    }
    c[row * n + column] = sum;
}

extern "C" {
__global__ void product_f32(const float *a, const float *b, float *c, int n)
{
    product(a, b, c, n);
}
__global__ void product_f64(const double *a, const double *b, double *c, int n)
{
    product(a, b, c, n);
}
}
"""

n, tile = 96, 16
random = np.random.default_rng(5)
major, minor = pycuda.autoinit.device.compute_capability()
assert isinstance(DEFAULT_NVCC_FLAGS, list)


def check(get_function):
    for dtype, name in ((np.float32, 'product_f32'), (np.float64, 'product_f64')):
        a, b = (random.random((n, n)).astype(dtype) for _ in range(2))
        c = np.empty_like(a)
        get_function(name)(cuda.In(a), cuda.In(b), cuda.Out(c), np.int32(n),
                           block=(tile, tile, 1), grid=(n // tile, n // tile))  # fmt: skip
        assert np.allclose(c, a @ b, rtol=1e-4)


with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, 'tiles.h'), 'w') as file:
        file.write(HEADER)
    options = [f'-DTILE={tile}', '-O3', '--use_fast_math', '-w']
    if sys.platform == 'linux':
        options += ['-Xcompiler', '-fPIC']
    module = SourceModule(SOURCE, options=options, no_extern_c=True, include_dirs=[folder],
                          cache_dir=folder, nvcc='nvcc', keep=False)  # fmt: skip
    check(module.get_function)
    options = [f'-DTILE={tile}', '-I', folder, f'-arch=sm_{major}{minor}']
    check(SourceModule(SOURCE, options=options, no_extern_c=True).get_function)

    for target in ('cubin', 'ptx'):
        if target == 'ptx' and cuda.get_driver_version() < 13030:
            arguments = {'arch': 'sm_75'}  # PTX that older drivers may refuse is only made
        else:
            arguments = {}
        code = compile(SOURCE, options=[f'-DTILE={tile}'], no_extern_c=True,
                       include_dirs=[folder], target=target, **arguments)  # fmt: skip
        assert isinstance(code, bytes) and len(code) > 1000
        if target == 'ptx':
            assert b'.entry product_f64' in code
            continue
        check(cuda.module_from_buffer(code).get_function)
        path = os.path.join(folder, 'products.cubin')
        with open(path, 'wb') as file:
            file.write(code)
        check(cuda.module_from_file(path).get_function)
print('ok')
