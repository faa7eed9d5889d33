"""runcu.elementwise: operations on elements, with what their texts may use."""

import numpy as np
import pytest
import runcu.driver as cuda
from runcu import gpuarray, tools
from runcu.elementwise import (
    ElementwiseKernel,
    ScalarArg,
    VectorArg,
    get_elwise_kernel,
    get_elwise_kernel_and_types,
    get_elwise_module,
    get_elwise_range_module,
)


@pytest.fixture
def x(device):
    return gpuarray.arange(1000, dtype=np.float32)


def test_linear_combination(x):
    kernel = ElementwiseKernel(
        'float a, float *x, float b, const float *y, float *z', 'z[i] = a * x[i] + b * y[i]', 'lin'
    )
    y, z = 2 * x + 1, gpuarray.empty_like(x)
    kernel(5, x, np.float32(6), y, z)
    host = np.arange(1000, dtype=np.float32)
    np.testing.assert_array_equal(z.get(), 5 * host + 6 * (2 * host + 1))


@pytest.mark.parametrize('n', [1, 31, 33, 4097, 100_003])
def test_names_that_operations_may_use(device, n):
    kernel = ElementwiseKernel(
        'unsigned long *out, int *wrong',
        'if (sizeof(i) != 8 || sizeof(n) != 8 || n == 0) wrong[0] = 1;'
        'if (tid != threadIdx.x || total_threads != gridDim.x * blockDim.x) wrong[0] = 2;'
        'if (cta_start != blockDim.x * blockIdx.x) wrong[0] = 3;'
        'if (i % total_threads != cta_start + tid) wrong[0] = 4;'
        'out[i] += i + n',
    )
    out, wrong = gpuarray.zeros(n, np.uint64), gpuarray.zeros(1, np.int32)
    kernel(out, wrong)
    assert wrong.get()[0] == 0
    np.testing.assert_array_equal(out.get(), np.arange(n, dtype=np.uint64) + n)


def test_operations_are_any_text(x):
    kernel = ElementwiseKernel(
        'float *z, float *x',
        """
        int n = 3;                  // shadows the number of elements
        float sum = 0;
        for (int k = 0; k < n; k++) {
            if (k == 1) continue;
            sum += x[999 - i];
        }
        float *p = &z[i];
        *p = sum
        """,
    )
    z = gpuarray.zeros_like(x)
    kernel(z, x)
    np.testing.assert_array_equal(z.get(), 2 * np.arange(1000, dtype=np.float32)[::-1])


def test_preamble_and_texts_around_the_loop(x):
    kernel = ElementwiseKernel(
        'float *x, float s, int *total',
        'acc += f(x[i]); x[i] = s',
        'around',
        preamble='#define TWO 2\ntemplate <class T> __device__ T f(T v) { return v * TWO; }',
        loop_prep='float acc = 0',
        after_loop='atomicAdd(total, int(acc))',
    )
    total = gpuarray.zeros(1, np.int32)
    kernel(x, 7, total)
    assert total.get()[0] == 999 * 1000
    assert (x.get() == 7).all()


def test_slices_and_ranges(device):
    host = np.zeros(100, np.int32)
    kernel = ElementwiseKernel('int *x, int v', 'x[i] = v + (sizeof(i) == sizeof(long))')
    for part in (
        slice(None), slice(10, 20), slice(None, None, 3), slice(-5, None), slice(90, 5, -7),
        slice(None, None, -1), slice(None, -80, -2), slice(40, 40), slice(5, 2), slice(3, 1000),
    ):  # fmt: skip
        x = gpuarray.zeros(100, np.int32)
        kernel(x, 4, slice=part)
        host[...] = 0
        host[part] = 5
        np.testing.assert_array_equal(x.get(), host, str(part))
    for part in (slice(10, 20), slice(0, 100, 9), slice(50, 7, -4), slice(3)):
        x = gpuarray.zeros(100, np.int32)
        kernel(x, 4, range=part)
        host[...] = 0
        host[range(part.start or 0, part.stop, part.step or 1)] = 5
        np.testing.assert_array_equal(x.get(), host, str(part))
    with pytest.raises(TypeError, match='both'):
        kernel(x, 1, slice=slice(3), range=slice(3))
    for wrong in (slice(0, 5, 0), slice(3, None)):
        with pytest.raises(ValueError, match='stop'):
            kernel(x, 1, range=wrong)


@pytest.mark.parametrize(
    ('name', 'dtype'),
    [('bool', np.bool_), ('signed char', np.int8), ('unsigned char', np.uint8), ('short', np.int16),
     ('int', np.int32), ('unsigned', np.uint32), ('long', np.int64), ('unsigned long', np.uint64),
     ('float', np.float32), ('double', np.float64), ('pycuda::complex<float>', np.complex64),
     ('pycuda::complex<double>', np.complex128)],
)  # fmt: skip
def test_types(device, name, dtype):
    kernel = ElementwiseKernel(f'{name} *z, {name} s', 'z[i] = s')
    z = gpuarray.zeros(10, dtype)
    value = 1 + 2j if np.dtype(dtype).kind == 'c' else 1
    for given in (value, np.dtype(dtype).type(value)):
        z.fill(0)
        kernel(z, given)
        assert (z.get() == value).all()


def test_complex_numbers(device):
    host = (np.arange(50) - 3j).astype(np.complex64)
    x, y = gpuarray.to_gpu(host), gpuarray.zeros(50, np.float32)
    kernel = ElementwiseKernel(
        'pycuda::complex<float> *x, float *y', 'x[i] = x[i] * conj(x[i]); y[i] = real(x[i])'
    )
    kernel(x, y)
    np.testing.assert_allclose(y.get(), abs(host) ** 2, rtol=1e-6)


def test_structs(device):
    """A vector by value between numbers, and an array of vectors."""
    vec = gpuarray.vec
    points = gpuarray.zeros(20, vec.float3)
    points.fill(vec.make_float3(1, 2, 3))
    out = gpuarray.zeros(20, np.float32)
    kernel = ElementwiseKernel(
        'int k, float3 pt, char c, float3 *ps, float *out',
        'out[i] = k * pt.x + c * ps[i].y + pt.z * ps[i].z',
    )
    kernel(10, vec.make_float3(5, 6, 7), 3, points, out)
    assert (out.get() == 10 * 5 + 3 * 2 + 7 * 3).all()
    pair = np.dtype([('a', np.int8), ('b', np.float64)], align=True)
    tools.get_or_register_dtype('elwise_pair', pair)
    kernel = ElementwiseKernel(
        'elwise_pair p, double *z',
        'z[i] = p.a + p.b',
        preamble='struct elwise_pair { signed char a; double b; };',
    )
    z = gpuarray.zeros(5, np.float64)
    kernel(np.array((2, 0.5), pair), z)
    assert (z.get() == 2.5).all()


def test_lists_of_arguments(x):
    arguments = [VectorArg(np.float32, 'x'), ScalarArg(np.int16, 's')]
    kernel = ElementwiseKernel(arguments, 'x[i] += s')
    kernel(x, -3)
    kernel(x, np.int64(4))
    kernel(x, gpuarray.ones((), np.int16))
    np.testing.assert_array_equal(x.get(), np.arange(1000, dtype=np.float32) + 2)
    assert len(arguments) == 2
    with pytest.raises(TypeError, match='VectorArg'):
        ElementwiseKernel(['float *x'], 'x[i] = 1')


def test_order_and_gaps(device):
    kernel = ElementwiseKernel('float *x', 'x[i] = i')
    f = gpuarray.empty((3, 4), np.float32, order='F')
    kernel(f)
    np.testing.assert_array_equal(f.get(), np.arange(12, dtype=np.float32).reshape(4, 3).T)
    with pytest.raises(RuntimeError, match=r'contiguous.*copy\(\)'):
        kernel(f[::2])
    part = gpuarray.zeros(10, np.float32)[3:6]
    kernel(part)
    np.testing.assert_array_equal(part.get(), [0, 1, 2])


def test_arrays_without_elements(device):
    kernel = ElementwiseKernel('float *x, float *y', 'x[i] = y[0]')
    kernel(gpuarray.empty(0, np.float32), gpuarray.zeros(1, np.float32))
    kernel(gpuarray.zeros(5, np.float32), gpuarray.ones(1, np.float32), slice=slice(0, 0))


def test_streams(x):
    stream = cuda.Stream(1)
    kernel = ElementwiseKernel('float *x', 'x[i] = 2 * x[i] + 1')
    with_stream = x.copy()
    cuda.Context.synchronize()
    for _ in range(3):
        kernel(with_stream, stream=stream)
    stream.synchronize()
    np.testing.assert_array_equal(with_stream.get(), 8 * np.arange(1000, dtype=np.float32) + 7)


def test_calls_that_are_wrong(x):
    kernel = ElementwiseKernel('float a, float *x', 'x[i] = a', 'named')
    for args in ((), (1,), (1, x, x)):
        with pytest.raises(TypeError, match=r'named takes 2 arguments \(a, x\)'):
            kernel(*args)
    for wrong in (np.zeros(3, np.float32), 5, None, 'x', x.gpudata):
        with pytest.raises(TypeError, match="'x' takes a GPUArray"):
            kernel(1, wrong)
    for wrong in ('x', None, [1]):
        with pytest.raises((TypeError, ValueError)):
            kernel(wrong, x)
    with pytest.raises(TypeError):
        kernel(1, x, grid=(1, 1))
    with pytest.raises((TypeError, ValueError, OverflowError)):
        ElementwiseKernel('int k, float *x', 'x[i] = k')(2.7, x)


def test_kernels_that_are_wrong(x):
    with pytest.raises(ValueError, match='at least one vector'):
        ElementwiseKernel('float a', 'a')
    with pytest.raises(ValueError, match="unknown type 'nonsense'"):
        ElementwiseKernel('nonsense *x', 'x[i] = 1')
    kernel = ElementwiseKernel('float *x', 'y[i] = 1')
    with pytest.raises(cuda.CompileError, match='identifier "y" is undefined'):
        kernel(x)
    with pytest.raises(cuda.LogicError, match='texture'):
        ElementwiseKernel('float *x', 'x[i] = 1').get_texref('t')


def test_modules_and_kernels(x):
    arguments = [VectorArg(np.float32, 'x'), ScalarArg(np.uintp, 'n')]
    module = get_elwise_module(arguments, 'x[i] += 1', 'plus')
    module.get_function('plus').prepare('PN').prepared_call((3, 1), (64, 1, 1), x.gpudata, x.size)
    function = get_elwise_kernel('float *x, float s', 'x[i] *= s', 'times')
    function.prepared_call(x._grid, x._block, x.gpudata, 2, x.size)
    module, function, given = get_elwise_kernel_and_types('float *x', 'x[i] -= 1', use_range=True)
    assert [a.name for a in given] == ['x', 'start', 'stop', 'step']
    function.prepared_async_call((1, 1), (32, 1, 1), None, x.gpudata, 0, 1000, 2)
    module.get_function('kernel')
    host = 2 * (np.arange(1000, dtype=np.float32) + 1)
    host[::2] -= 1
    np.testing.assert_array_equal(x.get(), host)
    bounds = [ScalarArg(np.intp, b) for b in ('start', 'stop', 'step')]
    module = get_elwise_range_module([arguments[0], *bounds], 'x[i] = 0', 'zero')
    zero = module.get_function('zero').prepare('Plll')
    zero.prepared_call((1, 1), (32, 1, 1), x.gpudata, 999, 499, -1)
    host[500:] = 0
    np.testing.assert_array_equal(x.get(), host)


def test_generated_kernels_are_kept(x):
    kernel = ElementwiseKernel('float *x', 'x[i] = 1')
    first = kernel.generate_stride_kernel_and_types()
    assert kernel.generate_stride_kernel_and_types() is first
    assert len(first) == 3 and first[2][-1].name == 'n'
    assert kernel.generate_stride_kernel_and_types(True) is not first


def test_a_half(device):
    """NumPy's float16 is CUDA's half."""
    x = gpuarray.to_gpu(np.arange(10, dtype=np.float16))
    ElementwiseKernel('half *x', 'x[i] = __float2half(2 * __half2float(x[i]))')(x)
    np.testing.assert_array_equal(x.get(), 2 * np.arange(10, dtype=np.float16))


def test_b_float(device):
    """The dtypes of ml_dtypes are CUDA's types."""
    ml_dtypes = pytest.importorskip('ml_dtypes')
    host = np.arange(10).astype(ml_dtypes.bfloat16)
    x = gpuarray.to_gpu(host)
    kernel = ElementwiseKernel(
        '__nv_bfloat16 *x, __nv_bfloat16 s',
        'x[i] = __float2bfloat16(__bfloat162float(x[i]) * __bfloat162float(s))',
    )
    kernel(x, ml_dtypes.bfloat16(3))
    np.testing.assert_array_equal(x.get(), host * 3)
    x[::2].fill(1)
    np.testing.assert_array_equal(x.get()[::2], np.ones(5, ml_dtypes.bfloat16))
    with pytest.raises(TypeError, match='bfloat16'):
        x + x
